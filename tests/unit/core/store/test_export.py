from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    NoSpaceError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.export import Link
from airnub_prefect_starter.core.store.layout import blob_key
from tests.store_conformance import put
from tests.unit.core.store.tools import local_store

LINKS: list[Link] = ["reflink", "hard", "copy"]
DATA = b"bytes" * 1000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return local_store(tmp_path / "store", durability="none")


@pytest.fixture
def digest(store: Store) -> str:
    return store.put_bytes(DATA)[0].digest


def inode_in(store: Store, digest: str) -> int:
    path = store.backend.local_path(blob_key(Digest(digest)))
    assert path is not None
    return path.stat().st_ino


def refuse(code: int) -> Callable[..., object]:
    def call(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("data", [b"", DATA], ids=["empty", "some"])
def test_gives_the_bytes_under_the_name(
    store: Store, tmp_path: Path, link: Link, data: bytes
) -> None:
    blob, _ = store.put_bytes(data)
    target = tmp_path / "new" / "folder" / "out.csv"
    store.export(blob.digest, target, link=link)
    store.export(blob.digest, target, link=link)
    assert target.read_bytes() == data
    assert [each.name for each in target.parent.iterdir()] == ["out.csv"]
    shared = target.stat().st_ino == inode_in(store, blob.digest)
    assert shared is (link == "hard" and data != b"")


@pytest.mark.parametrize("link", LINKS)
def test_gives_no_rotten_bytes_a_name(
    store: Store, digest: str, tmp_path: Path, link: Link
) -> None:
    put(store.backend, b"rotten", key=blob_key(Digest(digest)), if_absent=False)
    target = tmp_path / "out" / "out.csv"
    with pytest.raises(CorruptObjectError):
        store.export(digest, target, link=link)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("link", LINKS)
def test_says_that_the_blob_is_missing(store: Store, tmp_path: Path, link: Link) -> None:
    with pytest.raises(ObjectNotFoundError):
        store.export(Digest.of(b"none").text, tmp_path / "out.csv", link=link)


@pytest.mark.parametrize("code", [errno.EMLINK, errno.EXDEV, errno.EPERM])
def test_copies_where_links_are_not_possible(
    store: Store, digest: str, tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse(code))
    store.export(digest, tmp_path / "out.csv", link="hard")
    assert (tmp_path / "out.csv").read_bytes() == DATA
    assert (tmp_path / "out.csv").stat().st_ino != inode_in(store, digest)


def test_copies_where_the_kernel_cannot(
    store: Store, digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", refuse(errno.EXDEV))
    store.export(digest, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == DATA


@pytest.mark.parametrize("call", ["copy_file_range", "link"])
def test_reports_a_full_disk(
    store: Store, digest: str, tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, call, refuse(errno.ENOSPC))
    target = tmp_path / "out" / "out.csv"
    with pytest.raises(NoSpaceError):
        store.export(digest, target, link="hard" if call == "link" else "reflink")
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("link", LINKS)
def test_replaces_a_link_and_not_what_it_leads_to(
    store: Store, digest: str, tmp_path: Path, link: Link
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    target = tmp_path / "out.csv"
    target.symlink_to(victim)
    store.export(digest, target, link=link)
    assert victim.read_bytes() == b"precious"
    assert not target.is_symlink()
    assert target.read_bytes() == DATA


def test_refuses_a_folder(store: Store, digest: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        store.export(digest, tmp_path)
