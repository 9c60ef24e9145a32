from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    RefConflictError,
)
from airnub_prefect_starter.core.manifest_models import Descriptor, Ref, RunReport
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import (
    QUARANTINE,
    Key,
    manifest_key,
    ref_key,
    report_key,
)
from tests.store_conformance import fetch, put
from tests.unit.core.store.tools import HandClock, clocked_store, local_store

KEY = ref_key("alpha", "airports")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return local_store(tmp_path, durability="none")


def ref_to(text: str, *, second: int = 0) -> Ref:
    manifest = Descriptor(digest=Digest.of(text.encode()).text, size=1)
    return Ref(manifest=manifest, updated_at=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC))


def report(run_id: str, day: int, hour: int = 0) -> RunReport:
    moment = datetime(2026, 1, day, hour, tzinfo=UTC)
    return RunReport(run_id=run_id, flow="flow", started_at=moment, finished_at=moment)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"schema_version":2}', ConfigError),
        (b"{}", CorruptObjectError),
        (b'{"schema_version":"2"}', CorruptObjectError),
        (b'{"schema_version":0}', CorruptObjectError),
        (b'{"schema_version":1}', CorruptObjectError),
        (b'{"schema_version":1,"media_type":"text/html"}', CorruptObjectError),
        (b"[]", CorruptObjectError),
        (b"not json", CorruptObjectError),
        (b"[" * 100_000, CorruptObjectError),
        (b"\xff\xfe", CorruptObjectError),
    ],
    ids=[
        "later",
        "no version",
        "text for version",
        "version 0",
        "no fields",
        "unknown kind",
        "list",
        "text",
        "nested",
        "not utf-8",
    ],
)
def test_reads_manifests_strictly(store: Store, data: bytes, error: type[Exception]) -> None:
    digest = Digest.of(data)
    put(store.backend, data, key=manifest_key(digest))
    with pytest.raises(error):
        store.manifest(digest.text)
    assert store.backend.stat(manifest_key(digest)) is not None


def test_quarantines_a_manifest_whose_bytes_rotted(store: Store) -> None:
    digest = fetch(store, b"bytes").ref.manifest.digest
    put(store.backend, b"{}", key=manifest_key(Digest(digest)), if_absent=False)
    with pytest.raises(CorruptObjectError):
        store.manifest(digest)
    assert len(list(store.backend.list(QUARANTINE))) == 1
    with pytest.raises(ObjectNotFoundError):
        store.manifest(digest)
    again = fetch(store, b"bytes")
    assert store.manifest(again.ref.manifest.digest).previous == digest


@pytest.mark.parametrize(
    ("mine", "theirs", "winner"),
    [
        (ref_to("mine", second=1), ref_to("theirs", second=2), "theirs"),
        (ref_to("mine", second=2), ref_to("theirs", second=1), "mine"),
        (ref_to("same"), ref_to("same"), "theirs"),
    ],
    ids=["they are newer", "mine is newer", "we agree"],
)
def test_lets_the_newest_of_two_writers_win(
    store: Store, mine: Ref, theirs: Ref, winner: str
) -> None:
    calls: list[Ref | None] = []

    def propose(present: Ref | None) -> Ref:
        calls.append(present)
        if len(calls) == 1:
            store.records.move_ref("alpha", "airports", lambda _: theirs)
        return mine

    ref, written = store.records.move_ref("alpha", "airports", propose)
    assert ref == (mine if winner == "mine" else theirs)
    assert written is (winner == "mine")
    assert store.ref("alpha", "airports") == ref
    assert calls == [None, theirs]


def test_gives_up_when_others_are_always_first(store: Store) -> None:
    seconds = iter(range(60))

    def propose(present: Ref | None) -> Ref:
        store.records.move_ref("alpha", "airports", lambda _: ref_to("x", second=next(seconds)))
        return ref_to("mine", second=59)

    with pytest.raises(RefConflictError):
        store.records.move_ref("alpha", "airports", propose)


def test_ties_end_the_same_whoever_is_first(tmp_path: Path) -> None:
    winners = set()
    for order in (("a", "b"), ("b", "a")):
        store = local_store(tmp_path / order[0], durability="none")
        first, second = (ref_to(each) for each in order)

        def propose(present: Ref | None, store: Store = store, theirs: Ref = first) -> Ref:
            if present is None:
                store.records.move_ref("alpha", "airports", lambda _: theirs)
            return second  # noqa: B023 - used before the loop goes on

        winners.add(store.records.move_ref("alpha", "airports", propose)[0])
    assert len(winners) == 1


def test_dates_refs_by_the_clock(tmp_path: Path) -> None:
    clock = HandClock()
    store = clocked_store(tmp_path, clock)
    clock.forward(days=1)
    assert fetch(store, b"bytes").ref.updated_at == clock.now


def test_reads_reports_in_order(store: Store) -> None:
    for run_id, day, hour in (("b", 2, 9), ("a", 3, 0), ("c", 2, 8), ("d", 1, 23)):
        store.write_report(report(run_id, day, hour))
    store.write_report(report("c", 2, 8))
    assert [each.run_id for each in store.reports()] == ["d", "c", "b", "a"]


def test_reads_reports_since_a_time_without_those_of_earlier_days(store: Store) -> None:
    for run_id, day, hour in (("a", 1, 23), ("b", 2, 5), ("c", 2, 6), ("d", 3, 0)):
        store.write_report(report(run_id, day, hour))
    path = store.backend.local_path(report_key("a", datetime(2026, 1, 1, tzinfo=UTC)))
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"damaged, and not read")

    since = datetime(2026, 1, 2, 15, tzinfo=timezone(timedelta(hours=9)))  # 06:00 in UTC

    assert [each.run_id for each in store.reports(since)] == ["c", "d"]


@pytest.mark.parametrize("data", [b"{}", b"[]", b"{", b'{"schema_version":null}'])
def test_the_next_commit_heals_what_is_no_ref(store: Store, data: bytes) -> None:
    fetch(store, b"bytes")
    put(store.backend, data, key=KEY, if_absent=False)
    with pytest.raises(CorruptObjectError):
        store.ref("alpha", "airports")
    assert store.validators("alpha", "airports") is None
    assert fetch(store, b"bytes").ref == store.ref("alpha", "airports")
    assert len(list(store.backend.list(QUARANTINE))) == 1


@pytest.mark.parametrize("key", ["refs/alpha/Bad Name.json", "refs/alpha.json"])
def test_refuses_refs_that_it_did_not_name(store: Store, key: str) -> None:
    put(store.backend, b"{}", key=Key(key))
    with pytest.raises(ConfigError):
        list(store.refs())
