"""The system calls with which the local backend changes a disk, in one replaceable object."""

from __future__ import annotations

import ctypes
import fcntl
import os
import uuid
from pathlib import Path

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk:
    """Thin calls, so that tests can fail, stop the clock or kill the process at each of them."""

    def create(self, path: Path) -> int:
        """Create a private file for writing and return its descriptor."""
        return os.open(path, _CREATE, 0o600)

    def write(self, fd: int, data: memoryview) -> None:
        """Write all of some bytes."""
        while data:
            data = data[os.write(fd, data) :]

    def chmod(self, fd: int, mode: int) -> None:
        """Set the mode of an open file."""
        os.fchmod(fd, mode)

    def fsync(self, fd: int) -> None:
        """Make an open file or folder durable.

        fdatasync is no cheaper on ext4 for new files (their size is metadata), so it is not used.
        """
        os.fsync(fd)

    def syncfs(self, fd: int) -> None:
        """Make the file system of an open folder durable; all of them where only that exists."""
        call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if call is None:
            os.sync()
        elif call(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, unless that name is taken."""
        os.link(source, target, follow_symlinks=False)

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file over whatever has the name now."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a name; that it is gone already is fine."""
        path.unlink(missing_ok=True)

    def mkdir(self, path: Path) -> None:
        """Create a folder."""
        path.mkdir()

    def touch(self, path: Path) -> None:
        """Set a file's modification time to now."""
        os.utime(path)

    def lock(self, fd: int) -> None:
        """Wait until no other process or thread has the file locked; closing it unlocks."""
        fcntl.flock(fd, fcntl.LOCK_EX)

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes this user may still write."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def now_ns(self, folder: Path) -> int:
        """Return the file system's own time: the modification time of a new file."""
        probe = folder / temp_name()
        os.close(self.create(probe))
        try:
            return probe.stat().st_mtime_ns
        finally:
            self.unlink(probe)


def temp_name() -> str:
    """Return a name that no other process or thread uses."""
    return f"{os.getpid()}-{uuid.uuid4().hex}"
