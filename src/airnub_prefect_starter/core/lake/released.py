"""Which versions of tables are released: those that a ref or a pin of the store leads to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from airnub_prefect_starter.common.errors import TooLargeError
from airnub_prefect_starter.core.lake.snapshots import SNAPSHOT, TableSnapshot, parse_snapshot
from airnub_prefect_starter.core.manifest_models import DerivedManifest
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import MANIFESTS, Key, blob_key, digest_of
from airnub_prefect_starter.core.store.reachable import live_keys

_MAX_SNAPSHOT_BYTES = 1 << 20


def released_versions(store: Store) -> Mapping[str, frozenset[int]]:
    """Give the versions of each table that must stay readable.

    They are those of every snapshot that is reached from a ref or a pin: what a gold table was made
    of is released as long as the gold table is.

    Raises:
        StoreError: A manifest or snapshot on the way cannot be read, so that what must stay is not
            known. No retry.
    """
    found: defaultdict[str, set[int]] = defaultdict(set)
    for snapshot in _snapshots(store):
        found[snapshot.table].add(snapshot.version)
    return {table: frozenset(versions) for table, versions in found.items()}


def _snapshots(store: Store) -> Iterator[TableSnapshot]:
    everything = {stat.key for stat in store.backend.list(MANIFESTS)}
    for key in sorted(live_keys(store, everything, keep_last=1)):
        if key.startswith(MANIFESTS):
            yield from _of_manifest(store, key)
    for _, digest in store.pins():
        pinned = _of_blob(store, digest)
        if pinned is not None:
            yield pinned


def _of_manifest(store: Store, key: Key) -> Iterator[TableSnapshot]:
    manifest = store.manifest(digest_of(key).text)
    if isinstance(manifest, DerivedManifest):
        for output in manifest.outputs:
            if output.blob.media_type == SNAPSHOT:
                yield parse_snapshot(store, output.blob.digest)


def _of_blob(store: Store, digest: str) -> TableSnapshot | None:
    """Read a pinned blob as the snapshot that it may be."""
    if store.backend.stat(blob_key(Digest(digest))) is None:
        return None  # a manifest, of which the keys above have what it leads to
    try:
        return TableSnapshot.model_validate_json(
            store.read_blob(digest, max_bytes=_MAX_SNAPSHOT_BYTES)
        )
    except (TooLargeError, ValidationError):
        return None
