"""Looking up, opening and listing the files of a local store."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator
from pathlib import Path

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.faults import translated
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Stat

# Symbolic links are never followed: a store holds none, so one was put there by somebody else.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalReader:
    """A ``Reader`` over an open file."""

    def __init__(self, fd: int, stat: Stat, key: Key) -> None:
        self._file = os.fdopen(fd, "rb", buffering=0)
        self._key = key
        self.stat = stat

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """See ``Reader.readinto``."""
        with translated(f"Reading {self._key}"):
            return self._file.readinto(buffer)

    def read(self, size: int = -1, /) -> bytes:
        """See ``Reader.read``."""
        with translated(f"Reading {self._key}"):
            return self._file.read(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def stat_file(key: Key, path: Path) -> Stat | None:
    """Describe a regular file, or answer None; its token is not known without reading it."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _stat_of(key, found) if modes.S_ISREG(found.st_mode) else None


def open_file(key: Key, path: Path, offset: int) -> LocalReader:
    """Open a file for reading from a byte.

    Raises:
        ObjectNotFoundError: It is not there. No retry.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        raise ObjectNotFoundError(
            f"{key} is not in the store", "Check the name with `airnub store ls`"
        ) from None
    reader = LocalReader(fd, _stat_of(key, os.fstat(fd), _token_of(key, fd)), key)
    os.lseek(fd, offset, os.SEEK_SET)
    return reader


def content_token(path: Path) -> str | None:
    """Return the token of a ref's file: the digest of its content; None if there is none.

    A token of times and inode numbers would repeat within the clock's granularity.
    """
    try:
        return Digest.of(path.read_bytes()).text
    except FileNotFoundError:
        return None


def walk(folder: Path, base: str, prefix: str) -> Iterator[Stat]:
    """List the files below a folder whose keys start with a prefix, in the order of their keys."""
    for name, is_folder in _entries(folder):
        key = f"{base}{name}"
        if is_folder:
            if f"{key}/".startswith(prefix) or prefix.startswith(f"{key}/"):
                yield from walk(folder / name, f"{key}/", prefix)
        elif key.startswith(prefix) and (found := stat_file(Key(key), folder / name)):
            yield found


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """List a folder as an object store orders keys: folders sort with their closing slash."""
    try:
        with os.scandir(folder) as entries:
            found = [(each.name, each.is_dir(follow_symlinks=False)) for each in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda each: f"{each[0]}/" if each[1] else each[0])


def _stat_of(key: Key, found: os.stat_result, token: str | None = None) -> Stat:
    return Stat(key=key, size=found.st_size, modified_ns=found.st_mtime_ns, token=token)


def _token_of(key: Key, fd: int) -> str | None:
    if not key.startswith(layout.MUTABLE):
        return None
    size = os.fstat(fd).st_size
    return Digest.of(os.pread(fd, size, 0)).text
