"""Verification: does every ref lead to sound manifests, and every manifest to its bytes?

``meta`` reads refs and manifests (which prove themselves by their digest) and compares the sizes of
blobs. ``checksum`` also compares digests that the storage computed itself; a disk has none, so
there it proves nothing more and says how many blobs stay ``unproven``. ``deep`` reads and hashes
blobs. Objects whose bytes are wrong go to quarantine; nothing is deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    SourceError,
)
from airnub_prefect_starter.core.manifest_models import FetchManifest, Manifest, Ref, Source
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key, blob_key, manifest_key
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.reachable import blobs_of, inputs_of
from airnub_prefect_starter.core.store.spool import Spool
from airnub_prefect_starter.core.store.store import Store

Level = Literal["meta", "checksum", "deep"]
_FETCHED_BY = ("http://", "https://")
Refetch = Callable[[Source, Spool], None]
"""Fetches a source into a spool without validators; raises ``SourceError`` if it cannot."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is not as it must be; ``repaired`` if a refetch has put it right."""

    key: Key
    detail: str
    repaired: bool = False

    @property
    def kind(self) -> str:
        """The kind of violation, such as ``MissingBlob``."""
        return type(self).__name__


class CorruptRef(Violation):
    """A ref cannot be read; the next commit of its source heals it."""


class DanglingRef(Violation):
    """A ref leads to a manifest that is not there."""


class CorruptManifest(Violation):
    """A manifest's bytes or content are wrong."""


class MissingManifest(Violation):
    """A manifest names another that it was made of, and that is not there."""


class MissingBlob(Violation):
    """A manifest names a blob that is not there."""


class WrongSize(Violation):
    """A blob has another size than a manifest says."""


class CorruptBlob(Violation):
    """A blob's bytes do not have its digest."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked and what was found.

    ``unproven``: blobs of the sample whose bytes were neither read nor attested by the storage.
    ``unreferenced``: blobs that no manifest names, which gc takes in time (None for a sample).
    ``unfinished``: files of killed or running writers. ``strange``: keys that no store makes.
    """

    level: Level
    refs: int
    manifests: int
    blobs: int
    bytes_read: int
    unproven: int
    unreferenced: int | None
    unfinished: int
    strange: tuple[Key, ...]
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, or not any more."""
        return all(each.repaired for each in self.violations)


def verify(
    store: Store,
    *,
    level: Level = "meta",
    sample: tuple[int, int] = (1, 1),
    repair: Refetch | None = None,
) -> VerifyReport:
    """Check a store and tell what is wrong with it.

    Args:
        store: The store.
        level: How deep; see the module.
        sample: (part, parts): check the manifests and blobs whose digests are in that part, from 1,
            of so many equal ones. (day of month, 31) checks everything within a month.
        repair: Fetches the source of a missing or corrupt blob again; accepted only with the
            digest that is wanted.

    Raises:
        ConfigError: The sample is not such a pair. No retry.
        StoreError: The store cannot be read at all.
    """
    part, parts = sample
    if not 1 <= part <= parts:
        raise ConfigError(f"{part}/{parts} is not a sample", "Write 1/30 to 30/30, for instance")
    return _Verification(store, level, sample).run(repair)


class _Verification:
    """One pass over a store."""

    def __init__(self, store: Store, level: Level, sample: tuple[int, int]) -> None:
        self._store = store
        self._level = level
        self._sample = sample
        self._counts: Counter[str] = Counter()
        self._strange: list[Key] = []
        self._sizes = {digest: stat.size for digest, stat in self._objects(layout.BLOBS)}
        self._named: dict[Digest, Digest] = {}
        self._told: set[Digest] = set()

    def run(self, repair: Refetch | None) -> VerifyReport:
        """Check everything once, then try to repair what was found."""
        found = [*self._check_refs(), *self._check_manifests(), *self._check_blobs()]
        violations = tuple(self._repaired(each, repair) if repair else each for each in found)
        complete = self._sample[1] == 1
        return VerifyReport(
            level=self._level,
            refs=self._counts["refs"],
            manifests=self._counts["manifests"],
            blobs=self._counts["blobs"],
            bytes_read=self._counts["bytes_read"],
            unproven=self._counts["unproven"],
            unreferenced=len(self._sizes.keys() - self._named.keys()) if complete else None,
            unfinished=sum(1 for _ in self._store.backend.list(layout.TMP)),
            strange=tuple(self._strange),
            violations=violations,
        )

    def _objects(self, prefix: str) -> Iterator[tuple[Digest, Stat]]:
        for stat in self._store.backend.list(prefix):
            try:
                digest = layout.digest_of(stat.key)
            except ConfigError:
                self._strange.append(stat.key)
            else:
                yield digest, stat

    def _check_refs(self) -> Iterator[Violation]:
        for stat in self._store.backend.list(layout.REFS):
            self._counts["refs"] += 1
            try:
                ref = self._store.ref(*layout.ref_name(stat.key))
            except (CorruptObjectError, ConfigError) as exc:
                yield CorruptRef(stat.key, exc.message)
            else:
                if ref is not None:
                    yield from self._check_ref(stat.key, ref)

    def _check_ref(self, key: Key, ref: Ref) -> Iterator[Violation]:
        manifest = Digest(ref.manifest.digest)
        if self._store.backend.stat(manifest_key(manifest)) is None:
            yield DanglingRef(key, f"its manifest {manifest} is not there")
        elif ref.blob is not None:
            yield from self._check_named(manifest, Digest(ref.blob.digest), ref.blob.size)

    def _check_manifests(self) -> Iterator[Violation]:
        for digest, stat in self._objects(layout.MANIFESTS):
            if not digest.in_sample(*self._sample):
                continue
            self._counts["manifests"] += 1
            try:
                manifest = self._store.records.manifest(digest)
            except (CorruptObjectError, ConfigError) as exc:
                yield CorruptManifest(stat.key, exc.message)
            except ObjectNotFoundError:  # collected since it was listed
                continue
            else:
                yield from self._check_manifest(digest, manifest)

    def _check_manifest(self, digest: Digest, manifest: Manifest) -> Iterator[Violation]:
        for source in inputs_of(manifest):
            if self._store.backend.stat(manifest_key(source)) is None:
                yield MissingManifest(manifest_key(source), f"{digest} was made of it")
        if isinstance(manifest, FetchManifest):  # one with a source, as a repair needs
            self._named[Digest(manifest.blob.digest)] = digest
        for blob, size in blobs_of(manifest):
            yield from self._check_named(digest, blob, size)

    def _check_named(self, manifest: Digest, blob: Digest, size: int | None) -> Iterator[Violation]:
        """Check a blob that a manifest names; what is wrong is told once, however many name it."""
        self._named.setdefault(blob, manifest)
        if blob in self._told:
            return
        found = self._sizes.get(blob)
        if found is None:
            self._told.add(blob)
            yield MissingBlob(blob_key(blob), f"manifest {manifest} names it")
        elif size is not None and size != found:
            self._told.add(blob)
            yield WrongSize(blob_key(blob), f"it has {found} bytes, {manifest} says {size}")

    def _check_blobs(self) -> Iterator[Violation]:
        for digest, size in self._sizes.items():
            if digest.in_sample(*self._sample) and digest not in self._told:
                self._counts["blobs"] += 1
                if self._level == "deep":
                    yield from self._read(digest, size)
                else:
                    yield from self._compare(digest)

    def _compare(self, digest: Digest) -> Iterator[Violation]:
        """Compare the digest that the storage computed, where there is one."""
        found = None
        if self._level == "checksum":
            stat = self._store.backend.stat(blob_key(digest))
            found = stat.sha256 if stat else None
        if found is None:
            self._counts["unproven"] += 1
        elif found != digest:
            yield CorruptBlob(blob_key(digest), f"the storage computed {found}")

    def _read(self, digest: Digest, size: int) -> Iterator[Violation]:
        try:
            self._store.objects.check(blob_key(digest), digest)
        except CorruptObjectError as exc:
            yield CorruptBlob(blob_key(digest), exc.message)
        except ObjectNotFoundError:  # collected since it was listed; if it is named, that is told
            return
        self._counts["bytes_read"] += size

    def _repaired(self, violation: Violation, refetch: Refetch) -> Violation:
        manifest = self._fetched(violation)
        if manifest is None:
            return violation
        if not manifest.verbatim or not manifest.source.url.startswith(_FETCHED_BY):
            return _unrepaired(violation, "it cannot be refetched by address: run its stage")
        digest = layout.digest_of(violation.key)
        with self._store.spool() as spool:
            try:
                refetch(manifest.source, spool)
            except SourceError as exc:
                return _unrepaired(violation, f"not repaired: {exc.message}")
            if spool.digest != digest.text:
                return _unrepaired(violation, "the source has changed")
            self._store.put_blob(spool)
        return replace(violation, repaired=True)

    def _fetched(self, violation: Violation) -> FetchManifest | None:
        """Return the manifest that says where a blob came from; None if that is not known."""
        if not isinstance(violation, MissingBlob | WrongSize | CorruptBlob):
            return None
        named_by = self._named.get(layout.digest_of(violation.key))
        try:
            manifest = self._store.records.manifest(named_by) if named_by else None
        except (ConfigError, CorruptObjectError, ObjectNotFoundError):  # a violation of its own
            return None
        return manifest if isinstance(manifest, FetchManifest) else None


def _unrepaired(violation: Violation, why: str) -> Violation:
    return replace(violation, detail=f"{violation.detail}; {why}")
