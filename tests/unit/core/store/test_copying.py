from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.store import Store, copy_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import SHARDS, Key, blob_key
from airnub_prefect_starter.core.store.local import LocalBackend
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.verify import verify
from tests.store_conformance import blob_of, derive, fetch, put, read
from tests.unit.core.store.test_records import report
from tests.unit.core.store.tools import HandClock, clocked_store, local_store


def test_copies_everything_once(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    digest = blob_of(fetch(source, b"bytes")).text
    derive(source, b"table", "airports")
    source.pin("audit", digest)
    source.write_report(report("run-1", 1))
    others = {
        Key("releases/shop/release-1.json"): b"1",
        Key("dvc/files/md5/c4/ca4238a0b923820dcc509a6f75849b"): b"1",
        Key("models/shop/aliases.json"): b"{}",
        Key("models/shop/versions/1.json"): b"1",
    }
    for key, data in others.items():
        put(source.backend, data, key=key)
    first = copy_store(source, target)
    assert (first.blobs, first.manifests, first.refs, first.pins, first.reports) == (2, 2, 2, 1, 1)
    assert list(target.refs()) == list(source.refs())
    assert list(target.pins()) == list(source.pins())
    assert list(target.reports()) == list(source.reports())
    assert {key: read(target.backend, key) for key in others} == others
    assert first.others == len(others)
    assert verify(target, level="deep").ok
    second = copy_store(source, target)
    assert (second.blobs, second.manifests, second.refs, second.pins, second.reports) == ((0,) * 5)
    assert second.others == 0


ALIASES, VERSION = Key("models/shop/aliases.json"), Key("models/shop/versions/1.json")


def test_keeps_releases_versions_and_their_aliases_of_the_target(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    keys = [Key("releases/shop/release-1.json"), VERSION, ALIASES]
    for key in keys:
        put(source.backend, b"theirs", key=key)
        put(target.backend, b"ours", key=key)

    assert copy_store(source, target).others == 0
    assert {read(target.backend, key) for key in keys} == {b"ours"}


def test_aliases_of_an_earlier_copy_move_with_the_source_s(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    put(source.backend, b"1", key=VERSION)
    put(source.backend, b"champion: 1", key=ALIASES)
    copy_store(source, target)
    put(source.backend, b"2", key=Key("models/shop/versions/2.json"))
    put(source.backend, b"champion: 2", key=ALIASES, if_absent=False)

    assert copy_store(source, target).others == 2
    assert read(target.backend, ALIASES) == b"champion: 2"


def test_a_rotten_object_of_the_remote_is_not_copied(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    key = Key("dvc/files/md5/c4/ca4238a0b923820dcc509a6f75849b")
    put(source.backend, b"2", key=key)

    with pytest.raises(CorruptObjectError, match="other bytes than its name says"):
        copy_store(source, target)
    assert target.backend.stat(key) is None


def test_keeps_newer_refs_of_the_target(tmp_path: Path) -> None:
    late = HandClock()
    late.forward(days=1)
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", late)
    fetch(source, b"older")
    newer = fetch(target, b"newer")
    assert copy_store(source, target).refs == 0
    assert target.ref("alpha", "airports") == newer.ref


class BusyBackend(LocalBackend):
    """A storage on which somebody else commits while it is listed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, durability="none")
        for shard in SHARDS:  # a listing sees what is put into folders that it has yet to reach
            (root / shard).mkdir(parents=True, exist_ok=True)
        self._left = 30

    def list(self, prefix: str) -> Iterator[Stat]:
        for stat in super().list(prefix):
            yield stat
            self._commit()

    def _commit(self) -> None:
        if self._left:
            self._left -= 1
            store = Store(self, HandClock())
            name = f"source-{self._left}"
            fetch(store, name.encode(), source_id=name)
            derive(store, name.upper().encode(), name)


def test_copies_a_sound_state_of_a_store_that_is_written(tmp_path: Path) -> None:
    fetch(local_store(tmp_path / "a", durability="none"), b"bytes")
    source = Store(BusyBackend(tmp_path / "a"))
    target = local_store(tmp_path / "b", durability="none")
    copy_store(source, target)
    assert verify(target, level="deep").violations == ()


def test_heals_rotten_bytes_of_the_target(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    digest = blob_of(fetch(source, b"bytes"))
    copy_store(source, target)
    put(target.backend, b"bytez", key=blob_key(digest), if_absent=False)
    assert copy_store(source, target).blobs == 1
    assert target.read_blob(digest.text) == b"bytes"


def test_copies_no_rotten_bytes(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    digest: Digest = blob_of(fetch(source, b"bytes"))
    put(source.backend, b"bytez", key=blob_key(digest), if_absent=False)
    with pytest.raises(CorruptObjectError):
        copy_store(source, target)
    assert list(target.refs()) == []
    assert list(target.backend.list("blobs/")) == []
