"""Atomic, durable publishing of files: the part of the local backend where order matters."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from airnub_prefect_starter.common.errors import StoreIntegrityError
from airnub_prefect_starter.core.store.bodies import FileBody
from airnub_prefect_starter.core.store.disk import Disk, temp_name
from airnub_prefect_starter.core.store.protocol import Body, PutStatus

READ_ONLY = 0o444
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A finished file under ``tmp/``; ours may be renamed away, another's (a spool's) not."""

    path: Path
    ours: bool


class Publisher:
    """Turns bytes into files that appear whole or not at all. Lets ``OSError`` through.

    Args:
        tmp: The folder for unfinished files, on the same file system as the targets.
        disk: The system calls to use.
        sync_folders: Make new folders durable.
    """

    def __init__(self, tmp: Path, disk: Disk, *, sync_folders: bool) -> None:
        self._tmp = tmp
        self._disk = disk
        self._sync_folders = sync_folders

    @contextmanager
    def source(self, body: Body, size: int, *, sync: bool) -> Iterator[Source]:
        """Give a body as a read-only file under ``tmp/``: its own file if it is there already."""
        if body.path is not None and body.path.parent == self._tmp:
            self._finish_path(body.path, sync=sync)
            yield Source(body.path, ours=False)
            return
        temp = self.write_temp(body, size, sync=sync)
        try:
            yield Source(temp, ours=True)
        finally:
            self._disk.unlink(temp)

    def write_temp(self, body: Body, size: int, *, sync: bool, mode: int = READ_ONLY) -> Path:
        """Copy a body to a new finished file under ``tmp/``.

        Raises:
            StoreIntegrityError: The body has another size than was said. A retry may help.
        """
        temp = self._tmp / temp_name()
        fd = self._disk.create(temp)
        try:
            self._copy(body, size, fd)
            self._finish(fd, sync=sync, mode=mode)
        except BaseException:  # also Ctrl-C: what is half-written goes, then the error goes on
            self._disk.unlink(temp)
            raise
        finally:
            os.close(fd)
        return temp

    def place(self, source: Source, final: Path, *, if_absent: bool) -> PutStatus:
        """Give a finished file its key."""
        if not if_absent:
            self._replace(source, final)
            return PutStatus.CREATED
        try:
            self.link(source.path, final)
        except FileExistsError:
            return PutStatus.EXISTS
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            return self._place_without_links(source, final)
        return PutStatus.CREATED

    def link(self, source: Path, final: Path) -> None:
        """Link a file to a name that must be free, making the folder if needed."""
        self._in_folder(final, lambda: self._disk.link(source, final))

    def rename(self, source: Path, final: Path) -> None:
        """Rename a file over a name, making the folder if needed."""
        self._in_folder(final, lambda: self._disk.replace(source, final))

    def sync_path(self, path: Path) -> None:
        """Make a file or folder durable."""
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._disk.fsync(fd)
        finally:
            os.close(fd)

    def make_folders(self, folder: Path) -> None:
        """Make a folder and its parents."""
        if folder.is_dir():
            return
        self.make_folders(folder.parent)
        with suppress(FileExistsError):  # another writer was first; it may not have synced yet
            self._disk.mkdir(folder)
        if self._sync_folders:
            self.sync_path(folder.parent)

    def _in_folder(self, final: Path, action: Callable[[], None]) -> None:
        try:
            action()
        except FileNotFoundError:
            # Shard folders exist from the start, except in throw-away stores and in copies made by
            # tools that skip empty ones; folders of refs and reports come with the first name.
            self.make_folders(final.parent)
            action()

    def _replace(self, source: Source, final: Path) -> None:
        if source.ours:
            self.rename(source.path, final)
            return
        second = self._tmp / temp_name()
        try:
            self._disk.link(source.path, second)
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            second = self._copy_of(source)
        self.rename(second, final)

    def _place_without_links(self, source: Source, final: Path) -> PutStatus:
        """Publish by rename on file systems without hard links.

        Two writers may both pass the check; equal keys mean equal bytes, so the second does no
        harm.
        """
        if final.exists():
            return PutStatus.EXISTS
        self.rename(source.path if source.ours else self._copy_of(source), final)
        return PutStatus.CREATED

    def _copy_of(self, source: Source) -> Path:
        return self.write_temp(FileBody(source.path), source.path.stat().st_size, sync=True)

    def _copy(self, body: Body, size: int, fd: int) -> None:
        written = 0
        with body.reader() as reader:
            while chunk := reader.read(_COPY_BYTES):
                self._disk.write(fd, memoryview(chunk))
                written += len(chunk)
        if written != size:
            raise StoreIntegrityError(
                f"A body of {size} bytes gave {written}", "Read the source again"
            )

    def _finish_path(self, path: Path, *, sync: bool) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._finish(fd, sync=sync, mode=READ_ONLY)
        finally:
            os.close(fd)

    def _finish(self, fd: int, *, sync: bool, mode: int) -> None:
        self._disk.chmod(fd, mode)
        if sync:
            self._disk.fsync(fd)
