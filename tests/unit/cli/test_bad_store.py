"""Stores that are full, damaged or none: one line, its code, and nothing half-written."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import NoReturn

import pytest

from airnub_prefect_starter.core.store.disk import Disk
from tests.unit.cli.kit import Project, require_one_line

DATA = b"carrier,name\nAA,American\n"


def _full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("size", [100, 9 << 20], ids=["in-memory", "spooled"])
@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_full_disk_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, call: str, size: int
) -> None:
    project.environ(AIRNUB_DURABILITY="full" if call == "fsync" else "none")
    assert project.run("store", "put", "-", stdin=b"first").code == 0
    before = project.files()
    monkeypatch.setattr(Disk, call, _full)

    done = project.run("store", "put", "-", stdin=b"x" * size)

    require_one_line(done, 26, "No space left on device. Free space")
    assert project.files() == before


def test_a_nearly_full_disk_is_not_filled(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.run("store", "put", "-", stdin=b"first").code == 0
    before = project.files()
    monkeypatch.setattr(Disk, "free_bytes", lambda *_: 1 << 20)

    done = project.run("store", "put", "-", stdin=b"x" * (9 << 20))

    require_one_line(done, 26, "Only 1 MiB are free")
    assert project.files() == before


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("data/store/sample", b"a file", 22, "Not a directory"),
        ("data/store", b"a file", 22, "Not a directory"),
        ("data/store/sample/notes.txt", b"mine", 3, "is not a store"),
        ("data/store/sample/cas.json", b"{}", 3, "cas.json is b'{}'"),
        ("data/store/sample/cas.json", b"\xff", 3, "cas.json is"),
        ("data/store/sample/cas.json", b'{"casLayoutVersion": 2}', 3, "Open the store with"),
    ],
    ids=["file", "file-above", "something-else", "other-marker", "binary-marker", "later-version"],
)
def test_an_address_that_holds_something_else(
    project: Project, name: str, content: bytes, code: int, message: str
) -> None:
    path = project.write(name, content)

    require_one_line(project.run("store", "put", "-", stdin=b"x"), code, message)
    assert path.read_bytes() == content


def test_a_folder_where_an_object_should_be(project: Project) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    project.run("store", "put", "-", stdin=b"first")
    (project.store_folder / "blobs" / "sha256" / digest[:2] / digest).mkdir(parents=True)
    before = project.files()

    done = project.run("store", "put", "-", stdin=b"x")

    assert done.code in {21, 24}
    assert len(done.errors) == 1
    assert "Traceback" not in done.stderr
    assert project.files() == before


@pytest.mark.parametrize("text", [b"", b"null", b"{", b"[" * 100_000, b'{"schema_version": 1}'])
def test_a_ref_that_is_none(project: Project, text: bytes) -> None:
    project.fetched("airlines", DATA)
    ref = project.store_folder / "refs" / "ingestion.files" / "airlines.json"
    ref.write_bytes(text)

    for verb in (("store", "ls"), ("store", "get", "ingestion.files/airlines"), ("trace", "0" * 8)):
        require_one_line(project.run(*verb), 21, "refs/ingestion.files/airlines.json")
    verified = project.run("store", "verify")
    assert verified.code == 21
    assert "CorruptRef refs/ingestion.files/airlines.json" in verified.errors[0]
