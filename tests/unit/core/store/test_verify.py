from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, SourceUnavailableError
from airnub_prefect_starter.core.manifest_models import DERIVED, RULES, Source
from airnub_prefect_starter.core.store import FetchCommit, Spool, Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import (
    MANIFESTS,
    QUARANTINE,
    Key,
    blob_key,
    manifest_key,
    ref_key,
)
from airnub_prefect_starter.core.store.local import LocalBackend
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.verify import Level, verify
from tests.store_conformance import blob_of, derive, fetch, put
from tests.unit.core.store.tools import HandClock, clocked_store, local_store

DATA = b"iata,name\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return local_store(tmp_path, durability="none")


def damage(store: Store, kind: str) -> Key:
    """Store a fetched and a derived source, then spoil one thing; returns the key in question."""
    fetched = fetch(store, DATA)
    derived = derive(store, b"table", "airports")
    ref = ref_key("alpha", "airports")
    blob = blob_key(blob_of(fetched))
    manifest = manifest_key(Digest(fetched.ref.manifest.digest))
    derived_manifest = manifest_key(Digest(derived.ref.manifest.digest))
    match kind:
        case "CorruptRef":
            put(store.backend, b"{", key=ref, if_absent=False)
            return ref
        case "DanglingRef":
            store.backend.delete([derived_manifest])
            return ref_key("alpha", "table")
        case "CorruptManifest":
            put(store.backend, b"{}", key=manifest, if_absent=False)
            return manifest
        case "MissingManifest":
            store.backend.delete([manifest, ref])
            return manifest
        case "MissingBlob":
            store.backend.delete([blob])
        case "WrongSize":
            put(store.backend, DATA[:-1], key=blob, if_absent=False)
        case "CorruptBlob":
            put(store.backend, DATA.upper(), key=blob, if_absent=False)
    return blob


@pytest.mark.parametrize("level", ["meta", "checksum", "deep"])
def test_finds_nothing_wrong_with_a_sound_store(store: Store, level: Level) -> None:
    fetch(store, DATA)
    derive(store, b"table", "airports")
    store.put_bytes(b"not referred to")
    report = verify(store, level=level)
    assert report.ok
    assert report.violations == ()
    assert (report.refs, report.manifests, report.blobs) == (2, 2, 3)
    assert report.unreferenced == 1
    assert report.unproven == (0 if level == "deep" else 3)
    assert report.bytes_read == (len(DATA) + 20 if level == "deep" else 0)


@pytest.mark.parametrize(
    "kind",
    ["CorruptRef", "DanglingRef", "CorruptManifest", "MissingManifest", "MissingBlob", "WrongSize"],
)
@pytest.mark.parametrize("level", ["meta", "checksum"])
def test_finds_damage_without_reading_blobs(store: Store, kind: str, level: Level) -> None:
    key = damage(store, kind)
    report = verify(store, level=level)
    assert not report.ok
    assert (kind, key) in [(each.kind, each.key) for each in report.violations]


def test_finds_rotten_bytes_by_reading_and_quarantines_them(store: Store) -> None:
    key = damage(store, "CorruptBlob")
    assert verify(store, level="checksum").ok  # a disk computes no digests of its own
    report = verify(store, level="deep")
    assert [(each.kind, each.key) for each in report.violations] == [("CorruptBlob", key)]
    assert store.backend.stat(key) is None
    assert len(list(store.backend.list(QUARANTINE))) == 1


def test_compares_digests_that_the_storage_computed(tmp_path: Path) -> None:
    class AttestingBackend(LocalBackend):
        def stat(self, key: Key) -> Stat | None:
            found = super().stat(key)
            if found is None:
                return None
            with self.open(key) as reader:
                attested = Digest.of(reader.read())
            return Stat(key, found.size, found.modified_ns, sha256=attested)

    store = Store(AttestingBackend(tmp_path, durability="none"))
    key = damage(store, "CorruptBlob")
    report = verify(store, level="checksum")
    assert [(each.kind, each.key) for each in report.violations] == [("CorruptBlob", key)]
    assert report.unproven == 0


@pytest.mark.parametrize("kind", ["MissingBlob", "WrongSize", "CorruptBlob"])
def test_repairs_from_the_source(store: Store, kind: str) -> None:
    damage(store, kind)
    asked: list[str] = []

    def refetch(source: Source, spool: Spool) -> None:
        asked.append(source.url)
        spool.write(DATA)

    report = verify(store, level="deep", repair=refetch)
    assert report.ok
    assert [each.repaired for each in report.violations] == [True]
    assert asked == ["https://data.example/airports"]
    assert verify(store, level="deep").violations == ()


def test_accepts_only_the_same_bytes_as_a_repair(store: Store) -> None:
    damage(store, "MissingBlob")
    report = verify(store, repair=lambda _, spool: spool.write(b"newer"))
    assert not report.ok
    assert "the source has changed" in report.violations[0].detail
    assert not list(store.backend.list("blobs/sha256/" + Digest.of(b"newer").hex[:2]))


def test_says_what_no_address_leads_to_and_repairs_the_rest(store: Store) -> None:
    damage(store, "MissingBlob")
    source = Source(url="file:table.csv", final_url="file:table.csv")
    with store.spool() as spool:
        spool.write(b"of a file")
        committed = store.commit_fetch(FetchCommit("alpha", "table", source, spool))
    key = blob_key(blob_of(committed))
    store.backend.delete([key])

    report = verify(store, repair=lambda _, spool: spool.write(DATA))

    found = {each.key: each for each in report.violations}
    assert not found.pop(key).repaired
    assert "run its stage" in next(e.detail for e in report.violations if e.key == key)
    assert [each.repaired for each in found.values()] == [True]


def test_goes_on_where_the_manifest_is_damaged_too(store: Store) -> None:
    damage(store, "MissingBlob")
    ref = store.ref("alpha", "airports")
    assert ref is not None
    put(store.backend, b"{}", key=manifest_key(Digest(ref.manifest.digest)), if_absent=False)
    report = verify(store, repair=lambda _, spool: spool.write(DATA))
    kinds = {each.kind for each in report.violations}
    assert kinds >= {"MissingBlob", "CorruptManifest"}
    assert not any(each.repaired for each in report.violations)


def test_goes_on_where_a_manifest_is_collected_meanwhile(tmp_path: Path) -> None:
    class BusyBackend(LocalBackend):
        def list(self, prefix: str) -> Iterator[Stat]:
            for stat in super().list(prefix):
                if prefix == MANIFESTS:
                    self.delete([stat.key])
                yield stat

    store = Store(BusyBackend(tmp_path, durability="none"))
    fetch(store, DATA)
    store.backend.delete([ref_key("alpha", "airports")])
    assert verify(store).violations == ()


@pytest.mark.parametrize("kind", ["MissingBlob", "WrongSize"])
def test_finds_source_and_size_when_a_derived_manifest_comes_first(
    tmp_path: Path, kind: str
) -> None:
    store = clocked_store(tmp_path, HandClock())
    damage(store, kind)
    ref = store.ref("alpha", "airports")
    assert ref is not None
    for number in range(8):
        derive(store, b"%d" % number, ref)
    store.backend.delete([ref_key("alpha", "airports")])
    first, *_ = store.manifests()
    assert first[0].media_type == DERIVED
    report = verify(store, repair=lambda _, spool: spool.write(DATA))
    assert [(each.kind, each.repaired) for each in report.violations] == [(kind, True)]


def test_says_what_no_address_gives_again(store: Store) -> None:
    source = Source(url="https://data.example/api", final_url="https://data.example/api?page=1")
    with store.spool() as spool:
        spool.write(DATA)
        commit = FetchCommit("alpha", "api", source, spool, annotations={RULES: "paging=page"})
        store.backend.delete([blob_key(blob_of(store.commit_fetch(commit)))])
    report = verify(store, repair=lambda _, spool: spool.write(DATA))
    assert not report.ok
    assert "run its stage" in report.violations[0].detail


def test_reports_a_source_that_does_not_answer(store: Store) -> None:
    def refetch(source: Source, spool: Spool) -> None:
        raise SourceUnavailableError("refused", "Try again")

    damage(store, "MissingBlob")
    report = verify(store, repair=refetch)
    assert not report.ok
    assert "not repaired: refused" in report.violations[0].detail


def test_checks_everything_once_in_all_samples_together(store: Store) -> None:
    for number in range(20):
        fetch(store, b"%d" % number, source_id=f"s{number}")
    parts = [verify(store, level="deep", sample=(part, 5)) for part in range(1, 6)]
    assert sum(each.blobs for each in parts) == 20
    assert sum(each.manifests for each in parts) == 20
    assert all(each.blobs < 20 for each in parts)
    assert {each.unreferenced for each in parts} == {None}


@pytest.mark.parametrize("sample", [(0, 30), (31, 30), (1, 0)])
def test_refuses_samples_that_are_none(store: Store, sample: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        verify(store, sample=sample)


def test_mentions_unfinished_and_foreign_files(store: Store, tmp_path: Path) -> None:
    fetch(store, DATA)
    (tmp_path / "tmp" / "1-left").touch()
    (tmp_path / "blobs" / "notes.txt").touch()
    report = verify(store)
    assert report.ok
    assert report.unfinished == 1
    assert report.strange == ("blobs/notes.txt",)
