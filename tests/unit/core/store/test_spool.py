from __future__ import annotations

import errno
import hashlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import NoSpaceError, StoreUnavailableError
from airnub_prefect_starter.core.store.disk import Disk
from airnub_prefect_starter.core.store.spool import Spool
from tests.unit.core.store.tools import HookedDisk

SMALL = 1000


def spool_in(folder: Path, disk: Disk | None = None) -> Spool:
    return Spool(folder, disk=disk, memory_bytes=SMALL)


@settings(max_examples=30)
@given(chunks=st.lists(st.binary(max_size=700), max_size=6), limit=st.integers(0, 1500))
def test_keeps_and_hashes_any_chunks(chunks: list[bytes], limit: int) -> None:
    with Spool(memory_bytes=limit) as spool:
        for chunk in chunks:
            spool.write(chunk)
        data = b"".join(chunks)
        assert spool.size == len(data)
        assert spool.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        with spool.reader() as reader:
            assert reader.read() == data
        assert (spool.path is None) is (len(data) <= limit)


def test_leaves_no_file_behind(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        spool.write(bytes(SMALL + 1))
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [10, SMALL + 1], ids=["in memory", "in a file"])
def test_starts_again(tmp_path: Path, size: int) -> None:
    with spool_in(tmp_path) as spool:
        spool.write(b"x" * size)
        spool.seal()
        spool.reset()
        assert list(tmp_path.iterdir()) == []
        spool.write(b"again")
        assert spool.digest == f"sha256:{hashlib.sha256(b'again').hexdigest()}"
        with spool.reader() as reader:
            assert reader.read() == b"again"


def test_refuses_to_write_when_sealed(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        spool.write(b"x")
        spool.seal()
        with pytest.raises(ValueError, match="sealed"):
            spool.write(b"y")


def test_takes_any_buffer(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        for chunk in (b"ab", bytearray(b"cd"), memoryview(b"efgh")[::2]):
            spool.write(bytes(chunk))
        with spool.reader() as reader:
            assert reader.read() == b"abcdeg"


@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, NoSpaceError), (errno.EIO, StoreUnavailableError)]
)
@pytest.mark.parametrize("call", ["create", "write"])
def test_tells_why_it_cannot_write(
    tmp_path: Path, call: str, code: int, error: type[Exception]
) -> None:
    def fail(name: str, path: str) -> None:
        if name == call:
            raise OSError(code, "injected")

    with spool_in(tmp_path, HookedDisk(fail)) as spool, pytest.raises(error):
        spool.write(bytes(SMALL + 1))
    assert list(tmp_path.iterdir()) == []


def test_leaves_space_for_others(tmp_path: Path) -> None:
    class FullDisk(Disk):
        def free_bytes(self, folder: Path) -> int:  # noqa: ARG002
            return 64 << 20

    with spool_in(tmp_path, FullDisk()) as spool, pytest.raises(NoSpaceError, match="64 MiB"):
        spool.write(bytes(SMALL + 1))


def test_needs_no_memory_for_a_large_body(tmp_path: Path) -> None:
    chunk = bytes(1 << 20)
    tracemalloc.start()
    try:
        with Spool(tmp_path) as spool:
            for _ in range(64):
                spool.write(chunk)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20 << 20
