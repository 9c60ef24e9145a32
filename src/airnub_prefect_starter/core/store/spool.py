"""Where a body waits for its digest: in memory while small, then in a file; hashed on the way."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from airnub_prefect_starter.common.errors import NoSpaceError
from airnub_prefect_starter.core.store.digest import ALGORITHM
from airnub_prefect_starter.core.store.disk import Disk, temp_name
from airnub_prefect_starter.core.store.faults import translated

MEMORY_BYTES = 8 << 20
RESERVE_BYTES = 64 << 20


class Spool:
    """Bytes of one body, written once and hashed in the same pass.

    A context manager: leaving it removes the file. Once a store has published the bytes the file
    is part of the store, so further writing is refused; ``reset`` starts with a new one.

    Args:
        folder: Where the file goes; on the store's own file system it is published by linking.
        disk: The system calls to use.
        memory_bytes: Size up to which no file is made.
        reserve_bytes: Space that is left free for others; checked as often as so much is written.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        disk: Disk | None = None,
        memory_bytes: int = MEMORY_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._disk = disk or Disk()
        self._memory_bytes = memory_bytes
        self._reserve_bytes = reserve_bytes
        self._fd: int | None = None
        self._path: Path | None = None
        self._start()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            NoSpaceError: The disk is full, or nearly. No retry.
            StoreError: The file cannot be written.
            ValueError: The spool is sealed.
        """
        if self._sealed:
            raise ValueError("the spool is sealed; reset() starts a new one")
        view = memoryview(chunk).cast("B")
        if self._fd is None and self.size + len(view) <= self._memory_bytes:
            self._memory += view
        else:
            self._write_file(view)
        self._hash.update(view)
        self.size += len(view)

    def reset(self) -> None:
        """Forget everything and start again from byte 0."""
        self.close()
        self._start()

    def seal(self) -> None:
        """Refuse further writing, because the bytes are about to be published."""
        self._sealed = True

    @property
    def digest(self) -> str:
        """The digest of the bytes so far, as ``sha256:<hex>``."""
        return f"{ALGORITHM}:{self._hash.hexdigest()}"

    @property
    def path(self) -> Path | None:
        """The file that holds the bytes; None while they are in memory."""
        return self._path

    def reader(self) -> BinaryIO:
        """Open the bytes at the start; closing the reader leaves the spool as it is."""
        if self._path is None:
            return io.BytesIO(self._memory)
        with translated("Reading the spool"):
            return self._path.open("rb")

    def close(self) -> None:
        """Remove the file, if there is one."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._path is not None:
            with translated("Removing the spool"):
                self._disk.unlink(self._path)
            self._path = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self) -> None:
        self._hash = hashlib.sha256()
        self._memory = bytearray()
        self._sealed = False
        self._unchecked_bytes = 0
        self.size = 0

    def _write_file(self, view: memoryview) -> None:
        with translated("Writing the spool"):
            if self._fd is None:
                self._fd = self._open_file()
            self._check_space(len(view))
            self._disk.write(self._fd, view)

    def _open_file(self) -> int:
        self._check_space(self._reserve_bytes)
        self._path = self._folder / temp_name()
        fd = self._disk.create(self._path)
        try:
            self._disk.write(fd, memoryview(self._memory))
        except OSError:
            os.close(fd)
            raise
        self._memory = bytearray()
        return fd

    def _check_space(self, wanted_bytes: int) -> None:
        self._unchecked_bytes += wanted_bytes
        if self._unchecked_bytes < self._reserve_bytes:
            return
        self._unchecked_bytes = 0
        free = self._disk.free_bytes(self._folder)
        if free < self._reserve_bytes + wanted_bytes:
            raise NoSpaceError(
                f"Only {free >> 20} MiB are free in {self._folder}",
                f"Free space there; {self._reserve_bytes >> 20} MiB are always left for others",
            )
