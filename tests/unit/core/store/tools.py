"""Clocks that are set by hand and disks that fail on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.disk import Disk
from airnub_prefect_starter.core.store.local import Durability, LocalBackend

START = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    @property
    def ns(self) -> int:
        return int(self.now.timestamp()) * 1_000_000_000


class ClockedDisk(Disk):
    """A disk on which files are dated by a hand clock."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock

    def chmod(self, fd: int, mode: int) -> None:
        super().chmod(fd, mode)
        os.utime(fd, ns=(self._clock.ns, self._clock.ns))

    def touch(self, path: Path) -> None:
        os.utime(path, ns=(self._clock.ns, self._clock.ns))

    def now_ns(self, folder: Path) -> int:  # noqa: ARG002
        return self._clock.ns


class HookedDisk(Disk):
    """A disk that calls a hook with the name and path of each change before it makes it."""

    def __init__(self, hook: Callable[[str, str], None]) -> None:
        self._hook = hook

    def create(self, path: Path) -> int:
        self._hook("create", str(path))
        return super().create(path)

    def write(self, fd: int, data: memoryview) -> None:
        self._hook("write", _name(fd))
        middle = len(data) // 2
        super().write(fd, data[:middle])
        self._hook("write", _name(fd))
        super().write(fd, data[middle:])

    def chmod(self, fd: int, mode: int) -> None:
        self._hook("chmod", _name(fd))
        super().chmod(fd, mode)

    def fsync(self, fd: int) -> None:
        self._hook("fsync", _name(fd))
        super().fsync(fd)

    def syncfs(self, fd: int) -> None:
        self._hook("syncfs", _name(fd))

    def link(self, source: Path, target: Path) -> None:
        self._hook("link", str(target))
        super().link(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._hook("replace", str(target))
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._hook("unlink", str(path))
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        self._hook("mkdir", str(path))
        super().mkdir(path)

    def touch(self, path: Path) -> None:
        self._hook("touch", str(path))
        super().touch(path)

    def lock(self, fd: int) -> None:
        self._hook("lock", _name(fd))
        super().lock(fd)


def local_backend(
    root: Path, *, durability: Durability = "full", disk: Disk | None = None
) -> LocalBackend:
    """Open a store that was made without its 512 folders, which take longer than a test."""
    LocalBackend(root, durability="none")
    return LocalBackend(root, durability=durability, disk=disk)


def local_store(root: Path, *, durability: Durability = "full", disk: Disk | None = None) -> Store:
    return Store(local_backend(root, durability=durability, disk=disk))


def clocked_store(root: Path, clock: HandClock) -> Store:
    return Store(local_backend(root, durability="none", disk=ClockedDisk(clock)), clock)


def _name(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())
