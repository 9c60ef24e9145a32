"""Sources that are stored in parts: a first read, and the increments that continue it."""

from __future__ import annotations

from collections.abc import Iterator

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.manifest_models import FetchManifest
from airnub_prefect_starter.core.store import Store


def continued(store: Store, manifest: FetchManifest) -> Iterator[tuple[str, FetchManifest]]:
    """Yield the manifests that one continues, with their digests, newest first; mostly none.

    Raises:
        ObjectNotFoundError: One is not in the store. No retry.
        CorruptObjectError: One is corrupt, or is not of a fetched source. No retry.
    """
    while (digest := manifest.continues) is not None:
        found = store.manifest(digest)
        if not isinstance(found, FetchManifest):
            raise CorruptObjectError(
                f"{digest} is continued but is not of a source", "Run `airnub store verify`"
            )
        manifest = found
        yield digest, manifest
