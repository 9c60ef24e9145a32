"""Manifests, refs, pins and run reports: the JSON objects of a store, read strictly."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    RefConflictError,
)
from airnub_prefect_starter.core.manifest_models import (
    Descriptor,
    Manifest,
    Outcome,
    Ref,
    RunReport,
)
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.objects import Objects
from airnub_prefect_starter.core.store.protocol import Stat, StoreBackend

log = logging.getLogger(__name__)

REF_ATTEMPTS = 5
MAX_RECORD_BYTES = 64 << 20

_T = TypeVar("_T")
_MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Manifest)
_REF = TypeAdapter(Ref)
_REPORT = TypeAdapter(RunReport)


class Records:
    """The records of one store.

    Args:
        backend: Where they are.
        objects: Reads and writes what is named by its digest.
    """

    def __init__(self, backend: StoreBackend, objects: Objects) -> None:
        self._backend = backend
        self._objects = objects

    # Manifests

    def write_manifest(self, manifest: Manifest) -> tuple[Descriptor, Outcome]:
        """Publish a manifest under the digest of its canonical bytes."""
        data = manifest.canonical()
        digest = Digest.of(data)
        outcome = self._objects.put(layout.manifest_key(digest), digest, BytesBody(data))
        return (
            Descriptor(media_type=manifest.media_type, digest=digest.text, size=len(data)),
            outcome,
        )

    def manifest(self, digest: Digest) -> Manifest:
        """Read a manifest, verified.

        Raises:
            ObjectNotFoundError: There is none. No retry.
            CorruptObjectError: Its bytes or its content are wrong. No retry.
            ConfigError: A later version of this program wrote it. No retry.
        """
        return self._manifest(digest)[0]

    def manifests(self) -> Iterator[tuple[Descriptor, Manifest]]:
        """Read all manifests, ordered by digest."""
        for stat in self._backend.list(layout.MANIFESTS):
            manifest, size = self._manifest(digest := layout.digest_of(stat.key))
            yield (
                Descriptor(media_type=manifest.media_type, digest=digest.text, size=size),
                manifest,
            )

    def _manifest(self, digest: Digest) -> tuple[Manifest, int]:
        key = layout.manifest_key(digest)
        data = self._objects.read(key, digest, max_bytes=MAX_RECORD_BYTES)
        return _parse(_MANIFEST, data, key), len(data)

    # Refs

    def ref(self, namespace: str, source_id: str) -> Ref | None:
        """Read a ref; None if there is none.

        Raises:
            CorruptObjectError: It is not a ref. No retry; the next commit heals it.
        """
        key = layout.ref_key(namespace, source_id)
        found = self._read(key)
        return _parse(_REF, found[0], key) if found else None

    def refs(self) -> Iterator[tuple[str, str, Ref]]:
        """Read all refs as (namespace, source id, ref), ordered by name."""
        for stat in self._backend.list(layout.REFS):
            namespace, source_id = layout.ref_name(stat.key)
            if ref := self.ref(namespace, source_id):
                yield namespace, source_id, ref

    def move_ref(
        self, namespace: str, source_id: str, propose: Callable[[Ref | None], Ref]
    ) -> tuple[Ref, bool]:
        """Point a ref at something else, by compare and swap.

        When several writers meet, the newest ``updated_at`` wins; of equal ones the greater digest.

        Args:
            namespace: The ref's namespace.
            source_id: The ref's name.
            propose: Given the present ref, returns the new one, or the same if nothing changes.

        Returns:
            The ref that is in place now, and whether this call wrote it.

        Raises:
            RefConflictError: Other writers were first each time. A retry may help.
        """
        key = layout.ref_key(namespace, source_id)
        for attempt in range(REF_ATTEMPTS):
            present, token = self._ref_to_replace(key)
            wanted = propose(present)
            if present is not None and (wanted == present or (attempt and _wins(present, wanted))):
                return present, False
            self._backend.sync()
            try:
                self._backend.cas(key, wanted.canonical(), token)
            except RefConflictError:
                continue
            return wanted, True
        raise RefConflictError(
            f"Other writers moved {key} {REF_ATTEMPTS} times meanwhile",
            "Try again; let one run at a time write a source",
        )

    def _ref_to_replace(self, key: Key) -> tuple[Ref | None, str | None]:
        found = self._read(key)
        if found is None:
            return None, None
        data, token = found
        try:
            return _parse(_REF, data, key), token
        except CorruptObjectError:
            aside = layout.quarantine_key(key, uuid.uuid4().hex)
            self._put(aside, data)
            log.warning("%s is corrupt; its bytes are kept in %s", key, aside)
            return None, token

    # Pins

    def pin(self, name: str, digest: Digest) -> None:
        """Keep a blob or manifest, and all that a manifest refers to, from gc."""
        keys = (layout.blob_key(digest), layout.manifest_key(digest))
        # A gc that listed it before spares what is touched, so it stays until the pin is written.
        if not any(self._backend.touch(key) for key in keys):
            raise ObjectNotFoundError(
                f"{digest} is neither a blob nor a manifest of this store",
                "List what there is with `airnub store ls blobs`",
            )
        self._put(layout.pin_key(name), f'{{"digest":"{digest}"}}'.encode())

    def unpin(self, name: str) -> None:
        """Remove a pin.

        Raises:
            ObjectNotFoundError: There is none of that name. No retry.
        """
        key = layout.pin_key(name)
        if self._backend.stat(key) is None:
            raise ObjectNotFoundError(
                f"There is no pin {name!r}", "List pins with `airnub store ls pins`"
            )
        self._backend.delete([key])

    def pins(self) -> Iterator[tuple[str, Digest]]:
        """Read all pins, ordered by name."""
        for stat in self._backend.list(layout.PINS):
            if found := self._read(stat.key):
                text = _json(found[0], stat.key).get("digest")
                yield layout.pin_name(stat.key), Digest(str(text))

    # Run reports

    def write_report(self, report: RunReport) -> None:
        """Write the report of a run; writing it again replaces it."""
        self._put(layout.report_key(report.run_id, report.started_at), report.canonical())

    def reports(self, since: datetime | None = None) -> Iterator[RunReport]:
        """Read all run reports, ordered by the time at which the run started.

        With ``since`` only those that started then or later; earlier days are not even read.
        """
        first = layout.reports_of(since) if since else layout.RUNS
        for folder, day in groupby(self._backend.list(layout.RUNS), lambda s: _folder(s.key)):
            if f"{folder}/" >= first:
                found = sorted(self._reports(day), key=lambda report: report.started_at)
                yield from (each for each in found if since is None or each.started_at >= since)

    def _reports(self, stats: Iterable[Stat]) -> Iterator[RunReport]:
        for stat in stats:
            if found := self._read(stat.key):
                yield _parse(_REPORT, found[0], stat.key)

    def _put(self, key: Key, data: bytes) -> None:
        body = BytesBody(data)
        self._backend.put(key, body, sha256=Digest.of(data), size=len(data), if_absent=False)

    def _read(self, key: Key) -> tuple[bytes, str | None] | None:
        try:
            with self._backend.open(key) as reader:
                return reader.read(), reader.stat.token
        except ObjectNotFoundError:
            return None


def _folder(key: Key) -> str:
    return key.rpartition("/")[0]


def _wins(present: Ref, wanted: Ref) -> bool:
    return (present.updated_at, present.manifest.digest) >= (
        wanted.updated_at,
        wanted.manifest.digest,
    )


def _parse(adapter: TypeAdapter[_T], data: bytes, key: Key) -> _T:
    version = _json(data, key).get("schema_version")
    if isinstance(version, int) and version > 1:
        raise ConfigError(
            f"{key} has schema version {version!r}, this program reads version 1",
            "Read this store with the version of the program that wrote it, or a later one",
        )
    if version != 1:  # the models would take a missing one for 1
        raise _corrupt(key, f"has schema version {version!r}")
    try:
        return adapter.validate_json(data)
    except ValidationError as exc:
        raise _corrupt(key, f"is not what it should be: {exc.errors()[0]['msg']}") from exc


def _json(data: bytes, key: Key) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _corrupt(key, "does not hold a JSON object")
    return found


def _corrupt(key: Key, why: str) -> CorruptObjectError:
    return CorruptObjectError(f"{key} {why}", "Look for other damage with `airnub store verify`")
