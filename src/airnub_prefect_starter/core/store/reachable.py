"""What refs, pins and manifests lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from graphlib import TopologicalSorter

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.manifest_models import FetchManifest, Manifest
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key, blob_key, manifest_key
from airnub_prefect_starter.core.store.store import Store


def blobs_of(manifest: Manifest) -> Iterator[tuple[Digest, int | None]]:
    """Yield the blobs that a manifest names, fetched, put out or taken in, with sizes if known."""
    if isinstance(manifest, FetchManifest):
        yield Digest(manifest.blob.digest), manifest.blob.size
        return
    for output in manifest.outputs:
        yield Digest(output.blob.digest), output.blob.size
    yield from ((Digest(each.blob), None) for each in manifest.inputs)


def inputs_of(manifest: Manifest) -> Iterator[Digest]:
    """Yield the manifests that a manifest was derived from, or whose bytes it continues."""
    if not isinstance(manifest, FetchManifest):
        yield from (Digest(each.manifest) for each in manifest.inputs)
    elif manifest.continues is not None:
        yield Digest(manifest.continues)


def live_keys(store: Store, doomed: Set[Key], keep_last: int) -> set[Key]:
    """Return the keys that must stay: all that is reached from refs, pins and manifests not doomed.

    Args:
        store: The store.
        doomed: Manifests that are no roots by themselves.
        keep_last: How many manifests of each ref stay, along ``previous``.

    Raises:
        StoreError: A manifest on the way is missing or cannot be read, so that what it refers to
            is not known.
    """
    blobs, manifests = _roots(store, doomed, keep_last)
    live = {blob_key(each) for each in blobs}
    while manifests:
        digest = manifests.pop()
        key = manifest_key(digest)
        if key not in live:
            live.add(key)
            found = store.records.manifest(digest)
            live.update(blob_key(blob) for blob, _ in blobs_of(found))
            manifests.update(inputs_of(found))
    return live


def derived_first(store: Store, manifests: Iterable[Key]) -> list[Key]:
    """Order manifests so that each comes before those it was derived from."""
    order: TopologicalSorter[Key] = TopologicalSorter()
    known = set(manifests)
    for key in sorted(known):
        order.add(key)
        for source in inputs_of(store.records.manifest(layout.digest_of(key))):
            if (source_key := manifest_key(source)) in known:
                order.add(source_key, key)
    return list(order.static_order())


def _roots(store: Store, doomed: Set[Key], keep_last: int) -> tuple[set[Digest], set[Digest]]:
    blobs: set[Digest] = set()
    manifests: set[Digest] = set()
    for _, _, ref in store.refs():
        if ref.blob is not None:
            blobs.add(Digest(ref.blob.digest))
        manifests.update(_history(store, Digest(ref.manifest.digest), keep_last))
    for _, pinned in store.records.pins():
        blobs.add(pinned)
        if store.backend.stat(manifest_key(pinned)):
            manifests.add(pinned)
    # Listed after the refs were read: a manifest that a ref moved to meanwhile is seen here.
    for stat in store.backend.list(layout.MANIFESTS):
        if stat.key not in doomed:
            manifests.add(layout.digest_of(stat.key))
    return blobs, manifests


def _history(store: Store, latest: Digest, keep_last: int) -> Iterator[Digest]:
    yield latest
    for _ in range(keep_last - 1):
        try:
            previous = store.records.manifest(latest).previous
        except ObjectNotFoundError:
            return  # collected when fewer were kept
        if previous is None:
            return
        latest = Digest(previous)
        if store.backend.stat(manifest_key(latest)) is None:
            return
        yield latest
