"""The ContentStore block: the address of a department's store, and a place for task results.

Found by every Prefect process through the ``prefect.collections`` entry point, so keep it light.
"""

import asyncio
from functools import cache
from typing import Literal

from prefect._internal.compatibility.async_dispatch import async_dispatch
from prefect.filesystems import WritableFileSystem
from pydantic import Field

from airnub_prefect_starter.core.store import Store, open_store


@cache
def _open(
    url: str,
    durability: Literal["full", "batch", "none"],
    endpoint_url: str | None,
    region: str | None,
) -> Store:
    return open_store(url, durability=durability, endpoint_url=endpoint_url, region=region)


class ContentStore(WritableFileSystem):
    """A department's content store; task results go below its ``results/`` prefix.

    The keys of a bucket are not in here: runs have them in their environment (``AWS_*``).

    Example:
        ``ContentStore.load("project-alpha").get_store()``, or as result storage
        ``result_storage="content-store/project-alpha"``.
    """

    _block_type_name = "Content Store"
    _block_type_slug = "content-store"

    url: str = Field(
        description="Address of the department's store: file:///absolute/path or s3://bucket/prefix"
    )
    department: str = Field(description="Identifier of the department that owns the store")
    durability: Literal["full", "batch", "none"] = Field(
        default="full", description="When a local publish is synced to disk"
    )
    endpoint_url: str | None = Field(
        default=None, description="Server of the bucket; None: AWS_ENDPOINT_URL, or AWS without it"
    )
    region: str | None = Field(
        default=None, description="Region of the bucket; None: AWS_REGION of the environment"
    )
    credentials_secret: str | None = Field(
        default=None,
        description="Kubernetes Secret from which the department's runs have their keys",
    )

    def get_store(self) -> Store:
        """Open the store; the same object for the same address in one process.

        Raises:
            ConfigError: The address is not one of a store. No retry.
            StoreError: The store cannot be opened.
        """
        return _open(self.url, self.durability, self.endpoint_url, self.region)

    async def aread_path(self, path: str) -> bytes:
        """Read a task result; see ``read_path``."""
        return await asyncio.to_thread(self.get_store().read_result, path)

    # As in Prefect's own file systems, although their base class promises coroutines only.
    @async_dispatch(aread_path)
    def read_path(self, path: str) -> bytes:  # type: ignore[override]
        """Read a task result; a coroutine when called from async code.

        Raises:
            ConfigError: The path leaves ``results/``. No retry.
            ObjectNotFoundError: There is no such result, or it has expired. No retry.
        """
        return self.get_store().read_result(path)

    async def awrite_path(self, path: str, content: bytes) -> None:
        """Write a task result; see ``write_path``."""
        await asyncio.to_thread(self.get_store().write_result, path, content)

    @async_dispatch(awrite_path)
    def write_path(self, path: str, content: bytes) -> None:  # type: ignore[override]
        """Write a task result whole or not at all; a coroutine when called from async code.

        Raises:
            ConfigError: The path leaves ``results/``. No retry.
            StoreError: It cannot be written.
        """
        self.get_store().write_result(path, content)

    def _resolve_path(self, _: str) -> None:
        # Prefect asks file systems without a saved document for the absolute form of a key. Keys
        # stay relative here: None says so (as for Prefect's own NullFileSystem).
        return
