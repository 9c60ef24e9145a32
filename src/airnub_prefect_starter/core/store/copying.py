"""Copies between stores: the whole of one, in the order that keeps the other sound."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    RefConflictError,
)
from airnub_prefect_starter.core.manifest_models import Ref
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.reachable import inputs_of
from airnub_prefect_starter.core.store.reading import READ_BYTES
from airnub_prefect_starter.core.store.store import Store

_REMOTE_NAME = re.compile(r"/([0-9a-f]{2})/([0-9a-f]{30})(\.dir)?$")  # an MD5
_RELEASE_AGAIN = "Release the data again, in a store that has it"


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied; what was there already is not counted.

    ``others`` are objects of releases, of the models' registry and of the DVC remote.
    """

    blobs: int
    manifests: int
    refs: int
    pins: int
    reports: int
    others: int
    size_bytes: int


def copy_store(source: Store, target: Store) -> CopyReport:
    """Copy blobs, manifests, run reports, pins, refs, releases and models; not tables or results.

    Blobs and manifests are verified on the way. What is copied is settled in the order refs,
    manifests, blobs, so that a source which is written meanwhile gives no ref or manifest whose
    blob is left out. They are written the other way round, so an interrupted copy leaves a sound
    store and may be run again. A ref of the target that is newer stays, and so do releases and
    versions that it has. Aliases of a model move with the source's, unless the target has versions
    of its own.

    Raises:
        CorruptObjectError: An object of the source is corrupt; a blob or manifest is in quarantine
            now. No retry.
        StoreError: A store cannot be read or written.
    """
    records = _records(source)
    refs, pins = list(source.refs()), list(source.pins())
    manifests = _manifests(source)
    blobs = list(source.backend.list(layout.BLOBS))
    blob_count, blob_bytes = _copy_objects(source, target, blobs)
    manifest_count, manifest_bytes = _copy_objects(source, target, manifests)
    remote_count, remote_bytes = _copy_remote(source, target)
    return CopyReport(
        blobs=blob_count,
        manifests=manifest_count,
        refs=_copy_refs(refs, target),
        pins=_copy_pins(pins, target),
        reports=_copy_reports(source, target),
        others=remote_count + _copy_records(records, target),
        size_bytes=blob_bytes + manifest_bytes + remote_bytes,
    )


def _manifests(source: Store) -> list[Stat]:
    """List the manifests, and those they were derived from, which a listing may have passed."""
    found = {layout.digest_of(stat.key): stat for stat in source.backend.list(layout.MANIFESTS)}
    waiting = list(found)
    while waiting:
        for each in inputs_of(source.records.manifest(waiting.pop())):
            stat = None if each in found else source.backend.stat(layout.manifest_key(each))
            if stat is not None:
                found[each] = stat
                waiting.append(each)
    return list(found.values())


def _copy_objects(source: Store, target: Store, stats: Iterable[Stat]) -> tuple[int, int]:
    count = size_bytes = 0
    for stat in stats:
        digest = layout.digest_of(stat.key)
        if not target.objects.holds(stat.key, digest, stat.size):
            _copy_object(source, target, stat, digest)
            count, size_bytes = count + 1, size_bytes + stat.size
    return count, size_bytes


def _copy_object(source: Store, target: Store, stat: Stat, digest: Digest) -> None:
    with source.objects.open(stat.key, digest, stat.size) as stream, target.spool() as spool:
        while chunk := stream.read(READ_BYTES):
            spool.write(chunk)
        spool.seal()
        target.objects.put(stat.key, digest, spool)


def _copy_refs(refs: Iterable[tuple[str, str, Ref]], target: Store) -> int:
    count = 0
    for namespace, source_id, ref in refs:
        _, written = target.records.move_ref(namespace, source_id, partial(_newer, ref))
        count += written
    return count


def _newer(ref: Ref, present: Ref | None) -> Ref:
    return present if present and present.updated_at > ref.updated_at else ref


def _copy_pins(pins: Iterable[tuple[str, str]], target: Store) -> int:
    missing = set(pins) - set(target.pins())
    for name, digest in missing:
        target.pin(name, digest)
    return len(missing)


def _copy_reports(source: Store, target: Store) -> int:
    present = {stat.key for stat in target.backend.list(layout.RUNS)}
    count = 0
    for report in source.reports():
        if layout.report_key(report.run_id, report.started_at) not in present:
            target.write_report(report)
            count += 1
    return count


def _copy_remote(source: Store, target: Store) -> tuple[int, int]:
    """Copy the objects of the DVC remote that the target lacks or has in another size."""
    count = size_bytes = 0
    for stat in source.backend.list(layout.DVC):
        present = target.backend.stat(stat.key)
        if present is None or present.size != stat.size:
            _copy_remote_object(source, target, stat.key)
            count, size_bytes = count + 1, size_bytes + stat.size
    return count, size_bytes


def _copy_remote_object(source: Store, target: Store, key: Key) -> None:
    found = hashlib.md5(usedforsecurity=False)
    with source.backend.open(key) as stream, target.spool() as spool:
        while chunk := stream.read(READ_BYTES):
            found.update(chunk)
            spool.write(chunk)
        spool.seal()
        named = _REMOTE_NAME.search(key)
        if named and found.hexdigest() != named[1] + named[2]:
            raise CorruptObjectError(f"{key} has other bytes than its name says", _RELEASE_AGAIN)
        digest, size = Digest(spool.digest), spool.size
        target.backend.put(key, spool, sha256=digest, size=size, if_absent=False)


def _records(source: Store) -> dict[Key, bytes]:
    """Read releases and the models' registry: what names a version after the version itself."""
    found = {}
    for prefix in (layout.RELEASES, layout.MODELS):
        keys = [stat.key for stat in source.backend.list(prefix)]
        for key in sorted(keys, key=lambda each: -each.count("/")):
            with source.backend.open(key) as stream:
                found[key] = stream.read()
    return found


def _copy_records(records: Mapping[Key, bytes], target: Store) -> int:
    count = 0
    for key, data in records.items():
        present, token = _record(target, key)
        if present is None or (present != data and _follows(target, key, records)):
            try:
                target.backend.cas(key, data, token)
            except RefConflictError:
                continue  # somebody else wrote it meanwhile: as if it had been there
            count += 1
    return count


def _record(store: Store, key: Key) -> tuple[bytes | None, str | None]:
    try:
        with store.backend.open(key) as stream:
            return stream.read(), stream.stat.token
    except ObjectNotFoundError:
        return None, None


def _follows(target: Store, key: Key, records: Mapping[Key, bytes]) -> bool:
    """Tell whether a file is a model's aliases, in a store that has no version but the source's."""
    folder, _, name = key.rpartition("/")
    versions = (stat.key for stat in target.backend.list(f"{folder}/versions/"))
    return name == layout.ALIASES and all(
        _record(target, each)[0] == records.get(each) for each in versions
    )
