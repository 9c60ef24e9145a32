from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.gc import Swept, expire_results, mark, sweep
from airnub_prefect_starter.core.store.layout import (
    BLOBS,
    GC,
    MANIFESTS,
    PINS,
    TRASH,
    Key,
    manifest_key,
    ref_key,
)
from airnub_prefect_starter.core.store.local import LocalBackend
from airnub_prefect_starter.core.store.protocol import Body, PutStatus
from airnub_prefect_starter.core.store.verify import verify
from tests.store_conformance import blob_of, contents, derive, fetch, put
from tests.unit.core.store.tools import ClockedDisk, HandClock, clocked_store


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Store:
    return clocked_store(tmp_path, clock)


def collect(store: Store, clock: HandClock, *, keep_last: int = 1, trash: bool = False) -> Swept:
    """Run both phases, so far apart and so late that all that is unreferenced goes."""
    clock.forward(days=8)
    mark(store, keep_last=keep_last)
    clock.forward(days=4)
    return sweep(store, apply=True, keep_last=keep_last, trash=trash)


def names(store: Store, prefix: str) -> set[str]:
    return {
        stat.key.rpartition("/")[2].removesuffix(".json") for stat in store.backend.list(prefix)
    }


def hexes(*data: bytes) -> set[str]:
    return {Digest.of(each).hex for each in data}


def test_collects_what_nothing_refers_to(store: Store, clock: HandClock) -> None:
    fetch(store, b"old")
    latest = fetch(store, b"new")
    store.put_bytes(b"loose")
    swept = collect(store, clock)
    assert (swept.manifests, swept.blobs) == (1, 2)
    assert names(store, BLOBS) == hexes(b"new")
    assert names(store, MANIFESTS) == {Digest(latest.ref.manifest.digest).hex}
    assert names(store, GC) == set()
    assert verify(store, level="deep").ok


def test_tells_what_it_would_do_first(store: Store, clock: HandClock) -> None:
    store.put_bytes(b"loose")
    clock.forward(days=8)
    found = mark(store)
    assert (found.manifests, found.blobs, found.size_bytes) == (0, 1, 5)
    clock.forward(days=4)
    before = contents(store.backend)
    swept = sweep(store)
    assert (swept.applied, swept.blobs, swept.size_bytes) == (False, 1, 5)
    assert contents(store.backend) == before


def test_writes_no_list_when_nothing_may_go(store: Store, clock: HandClock) -> None:
    fetch(store, b"bytes")
    clock.forward(days=8)
    assert mark(store).key is None
    assert names(store, GC) == set()


@pytest.mark.parametrize(("days", "waiting", "blobs"), [(3, 1, 0), (3.5, 0, 1)])
def test_waits_between_the_phases(
    store: Store, clock: HandClock, days: float, waiting: int, blobs: int
) -> None:
    store.put_bytes(b"loose")
    clock.forward(days=8)
    mark(store)
    clock.forward(days=days)
    swept = sweep(store, apply=True)
    assert (swept.waiting, swept.blobs) == (waiting, blobs)


def test_leaves_the_young_alone(store: Store, clock: HandClock) -> None:
    clock.forward(days=1)
    store.put_bytes(b"loose")
    clock.forward(days=6)
    mark(store)
    clock.forward(days=30)
    assert sweep(store, apply=True).blobs == 0


def test_keeps_what_was_put_again_after_the_first_phase(store: Store, clock: HandClock) -> None:
    store.put_bytes(b"loose")
    clock.forward(days=8)
    mark(store)
    clock.forward(days=4)
    store.put_bytes(b"loose")
    swept = sweep(store, apply=True)
    assert (swept.blobs, swept.spared) == (0, 1)


def test_keeps_what_a_ref_returned_to(store: Store, clock: HandClock) -> None:
    fetch(store, b"old")
    fetch(store, b"new")
    clock.forward(days=8)
    mark(store)
    fetch(store, b"old")
    clock.forward(days=20)
    sweep(store, apply=True)
    assert Digest.of(b"old").hex in names(store, BLOBS)
    assert verify(store, level="deep").ok


def test_keeps_the_inputs_of_what_was_derived(store: Store, clock: HandClock) -> None:
    fetch(store, b"input")
    derive(store, b"table", "airports")
    fetch(store, b"newer input")
    collect(store, clock)
    assert names(store, BLOBS) == hexes(b"input", b"table", b"newer input")
    assert len(names(store, MANIFESTS)) == 3
    assert verify(store, level="deep").ok


def test_lets_inputs_go_with_what_was_derived_from_them(store: Store, clock: HandClock) -> None:
    fetch(store, b"input")
    derive(store, b"table", "airports")
    fetch(store, b"newer input")
    derive(store, b"newer table", "airports")
    swept = collect(store, clock)
    assert (swept.manifests, swept.blobs) == (2, 2)
    assert names(store, BLOBS) == hexes(b"newer input", b"newer table")


def test_keeps_listed_inputs_of_what_is_derived_after_the_first_phase(
    store: Store, clock: HandClock
) -> None:
    old = fetch(store, b"input")
    fetch(store, b"newer input")
    clock.forward(days=8)
    mark(store)
    derive(store, b"table", old.ref)
    store.backend.delete([ref_key("alpha", "table")])
    clock.forward(days=30)
    sweep(store, apply=True)
    assert names(store, BLOBS) == hexes(b"input", b"newer input", b"table")
    assert verify(store, level="deep").ok


@pytest.mark.parametrize("pinned", ["blob", "manifest"])
def test_keeps_pins(store: Store, clock: HandClock, pinned: str) -> None:
    old = fetch(store, b"old")
    fetch(store, b"new")
    store.pin("audit", blob_of(old).text if pinned == "blob" else old.ref.manifest.digest)
    collect(store, clock)
    assert names(store, BLOBS) == hexes(b"old", b"new")
    store.unpin("audit")
    collect(store, clock)
    assert names(store, BLOBS) == hexes(b"new")


@pytest.mark.parametrize("keep_last", [1, 2, 3, 9])
def test_keeps_the_last_few(store: Store, clock: HandClock, keep_last: int) -> None:
    versions = [b"1", b"2", b"3", b"4"]
    for data in versions:
        fetch(store, data)
    collect(store, clock, keep_last=keep_last)
    assert names(store, BLOBS) == hexes(*versions[-keep_last:])
    collect(store, clock, keep_last=9)
    assert verify(store, level="deep").ok


def test_can_put_collected_objects_into_the_trash(store: Store, clock: HandClock) -> None:
    store.put_bytes(b"loose")
    collect(store, clock, trash=True)
    assert names(store, TRASH) == hexes(b"loose")
    assert names(store, BLOBS) == set()


def test_removes_unfinished_files_after_a_day(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    left = tmp_path / "tmp" / "1-left"
    left.touch()
    clock.now = clock.now.replace(year=2100)
    assert sweep(store).temps == 1
    assert left.exists()
    assert sweep(store, apply=True).temps == 1
    assert not left.exists()


def test_touches_nothing_reserved(store: Store, clock: HandClock) -> None:
    store.write_result("old", b"result")
    for prefix in ("tables/t", "models/m", "releases/r", "dvc/d"):
        put(store.backend, b"x", key=Key(prefix))
    before = contents(store.backend)
    collect(store, clock)
    assert contents(store.backend) == before


def test_lets_results_expire(store: Store, clock: HandClock) -> None:
    store.write_result("old", b"result")
    clock.forward(days=10)
    store.write_result("young", b"result")
    clock.forward(days=5)
    assert expire_results(store).results == 1
    assert names(store, "results/") == {"old", "young"}
    expired = expire_results(store, apply=True)
    assert (expired.results, expired.size_bytes) == (1, 6)
    assert names(store, "results/") == {"young"}
    assert expire_results(store, older_than=timedelta(days=1), apply=True).results == 1


def test_refuses_to_be_hasty(store: Store) -> None:
    for call in (mark, sweep):
        with pytest.raises(ConfigError, match="too short"):
            call(store, min_age=timedelta(hours=23))


def test_refuses_when_clocks_differ(store: Store, clock: HandClock) -> None:
    ahead = Store(store.backend, lambda: clock.now + timedelta(minutes=6))
    for call in (mark, sweep, expire_results):
        with pytest.raises(ConfigError, match="clock"):
            call(ahead)


def test_refuses_lists_that_it_did_not_write(store: Store, tmp_path: Path) -> None:
    (tmp_path / GC).mkdir()
    (tmp_path / GC / ".DS_Store").touch()
    with pytest.raises(ConfigError, match=r"gc/\.DS_Store"):
        sweep(store)


@pytest.mark.parametrize("pinned", ["blob", "manifest"])
def test_keeps_what_is_pinned_while_it_sweeps(
    tmp_path: Path, clock: HandClock, pinned: str
) -> None:
    class SweptBackend(LocalBackend):
        """A storage that is swept just before a pin is written."""

        def put(
            self, key: Key, body: Body, *, sha256: Digest, size: int, if_absent: bool
        ) -> PutStatus:
            if key.startswith(PINS):
                sweep(Store(self, clock), apply=True)
            return super().put(key, body, sha256=sha256, size=size, if_absent=if_absent)

    store = Store(SweptBackend(tmp_path, durability="none", disk=ClockedDisk(clock)), clock)
    old = fetch(store, b"old")
    fetch(store, b"new")
    clock.forward(days=8)
    mark(store)
    clock.forward(days=4)
    store.pin("audit", blob_of(old).text if pinned == "blob" else old.ref.manifest.digest)
    assert Digest.of(b"old").hex in names(store, BLOBS)
    assert pinned == "blob" or store.manifest(old.ref.manifest.digest)
    assert verify(store, level="deep").ok


@pytest.mark.parametrize("damage", ["manifest rotted", "manifest lost", "ref rotted"])
def test_removes_nothing_when_it_cannot_know(store: Store, clock: HandClock, damage: str) -> None:
    store.put_bytes(b"loose")
    manifest = manifest_key(Digest(fetch(store, b"bytes").ref.manifest.digest))
    clock.forward(days=8)
    mark(store)
    clock.forward(days=4)
    if damage == "manifest lost":
        store.backend.delete([manifest])
    else:
        key = manifest if damage == "manifest rotted" else ref_key("alpha", "airports")
        put(store.backend, b"{", key=key, if_absent=False)
    with pytest.raises((CorruptObjectError, ObjectNotFoundError)):
        sweep(store, apply=True)
    assert names(store, BLOBS) == hexes(b"loose", b"bytes")
