"""The ContentStore block: saved, loaded elsewhere, and as a place for results."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient

from airnub_prefect_starter.blocks import ContentStore
from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.desired import DesiredState
from airnub_prefect_starter.control.environment import PlatformState, child_environment
from airnub_prefect_starter.control.platform import quiet
from tests.broken_s3 import BrokenS3
from tests.s3_kit import reaching

LOADING = """
from airnub_prefect_starter.blocks import ContentStore
block = ContentStore.load("sample")
block.write_path("from/there", b"bytes")
print(block.get_store().backend.root)
"""


@pytest.fixture(autouse=True)
def _registered(client: SyncPrefectClient, desired: DesiredState, settings: Settings) -> None:
    bootstrap(desired, settings=settings, on_progress=quiet)


def test_the_block_is_loaded_by_another_process_and_shares_results(
    state: PlatformState, settings: Settings
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADING],
        env=child_environment(settings, state),
        capture_output=True,
        text=True,
        check=True,
    )

    block = ContentStore.load("sample")
    assert isinstance(block, ContentStore)
    assert block.read_path("from/there", _sync=True) == b"bytes"  # type: ignore[call-arg]
    assert done.stdout.strip() == str(settings.project_root / "data" / "store" / "sample")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".hidden"])
def test_results_stay_below_their_prefix(tmp_path: Path, path: str) -> None:
    block = ContentStore(url=(tmp_path / "store").as_uri(), department="sample")

    with pytest.raises(ConfigError):
        block.write_path(path, b"")
    with pytest.raises(ConfigError):
        block.read_path(path)


async def read_async(block: ContentStore) -> bytes:
    await block.awrite_path("key", b"async")
    return await block.aread_path("key")


def test_results_are_written_and_read_from_async_code_too(tmp_path: Path) -> None:
    block = ContentStore(url=(tmp_path / "store").as_uri(), department="sample")

    assert asyncio.run(read_async(block)) == b"async"
    with pytest.raises(ObjectNotFoundError):
        block.read_path("other")


def test_results_are_kept_in_a_bucket_of_the_blocks_own_server() -> None:
    with BrokenS3() as server, reaching({**server.environment, "AWS_ENDPOINT_URL": ""}):
        block = ContentStore(
            url="s3://bucket/store/sample",
            department="sample",
            endpoint_url=server.endpoint,
            region="eu-west-1",
            credentials_secret="airnub-s3",  # noqa: S106 - the name of a Secret
        )
        block.write_path("key", b"result")

        assert block.read_path("key") == b"result"
        assert "store/sample/results/key" in server.s3.objects
        assert all("/eu-west-1/s3/" in each.headers["authorization"] for each in server.requests)


def test_a_missing_block_is_prefects_own_error(client: SyncPrefectClient) -> None:
    with pytest.raises(ValueError, match="nothing"):
        ContentStore.load("nothing")
