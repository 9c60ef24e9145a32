from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.store import copy_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import blob_key
from airnub_prefect_starter.core.store.verify import verify
from tests.store_conformance import blob_of, derive, fetch, put
from tests.unit.core.store.test_records import report
from tests.unit.core.store.tools import HandClock, clocked_store


def test_copies_everything_once(tmp_path: Path) -> None:
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", HandClock())
    digest = blob_of(fetch(source, b"bytes")).text
    derive(source, b"table", "airports")
    source.pin("audit", digest)
    source.write_report(report("run-1", 1))
    first = copy_store(source, target)
    assert (first.blobs, first.manifests, first.refs, first.pins, first.reports) == (2, 2, 2, 1, 1)
    assert list(target.refs()) == list(source.refs())
    assert list(target.pins()) == list(source.pins())
    assert list(target.reports()) == list(source.reports())
    assert verify(target, level="deep").ok
    second = copy_store(source, target)
    assert (second.blobs, second.manifests, second.refs, second.pins, second.reports) == ((0,) * 5)


def test_keeps_newer_refs_of_the_target(tmp_path: Path) -> None:
    late = HandClock()
    late.forward(days=1)
    source = clocked_store(tmp_path / "a", HandClock())
    target = clocked_store(tmp_path / "b", late)
    fetch(source, b"older")
    newer = fetch(target, b"newer")
    assert copy_store(source, target).refs == 0
    assert target.ref("alpha", "airports") == newer.ref


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
