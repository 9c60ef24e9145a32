"""The store on a local or mounted file system: crash-safe publish by fsync, link and folder fsync.

A publish writes under ``tmp/`` on the same file system, makes the file read-only and durable,
links it to its key (which fails if the key is taken), and makes the folder durable. A killed
process therefore leaves at most files under ``tmp/`` and objects that nothing refers to.
Many threads or processes share the cost of fsync by themselves: ext4 commits its journal for all
of them at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Literal

from airnub_prefect_starter.common.errors import ConfigError, RefConflictError
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.disk import Disk
from airnub_prefect_starter.core.store.faults import translated
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.local_read import content_token, open_file, stat_file, walk
from airnub_prefect_starter.core.store.protocol import (
    Body,
    PutStatus,
    Reader,
    Stat,
)
from airnub_prefect_starter.core.store.publish import Publisher
from airnub_prefect_starter.core.store.spool import Spool

Durability = Literal["full", "batch", "none"]
_REF_MODE = 0o644


class LocalBackend:
    """A ``StoreBackend`` in a folder.

    Args:
        root: The store's folder; it and its marker are made if missing.
        durability: ``full`` syncs each object before it gets its key, ``batch`` leaves that to one
            ``sync`` before a ref is written, ``none`` to the kernel. The first two make all 512
            shard folders at once, so that no put pays for one; ``none``, for tests and throw-away
            stores, makes them as they are needed.
        disk: The system calls to use.

    Raises:
        ConfigError: The folder is a store of another layout, or holds something else. No retry.
        StoreError: The folder cannot be read or made.
    """

    def __init__(
        self, root: Path, *, durability: Durability = "full", disk: Disk | None = None
    ) -> None:
        self.root = root
        self.disk = disk or Disk()
        self._durability = durability
        self._tmp = root / layout.TMP
        self._publisher = Publisher(self._tmp, self.disk, sync_folders=durability != "none")
        self._unsynced = SharedSync(self._syncfs)
        with translated(f"Opening the store {root}"):
            self._open_or_init()

    # The six primitives

    def stat(self, key: Key) -> Stat | None:
        """See ``BlobBackend.stat``."""
        with translated(f"Looking up {key}"):
            return stat_file(key, self._path(key))

    def put(
        self,
        key: Key,
        body: Body,
        *,
        sha256: Digest,  # noqa: ARG002 - for servers, which check it; here it was just computed
        size: int,
        if_absent: bool,
    ) -> PutStatus:
        """See ``BlobBackend.put``; a body that is a file under ``tmp/`` is linked, not copied."""
        final = self._path(key)
        with translated(f"Writing {key}"):
            with self._publisher.source(body, size, sync=self._syncs_each) as source:
                status = self._publisher.place(source, final, if_absent=if_absent)
            if status is PutStatus.CREATED:
                self._settle(final, folder_only=True)
            else:
                with suppress(FileNotFoundError):  # gone again; whoever needs it looks for it
                    self._settle(final)
        return status

    @contextmanager
    def open(self, key: Key, offset: int = 0) -> Iterator[Reader]:
        """See ``BlobBackend.open``."""
        with translated(f"Opening {key}"):
            reader = open_file(key, self._path(key), offset)
        try:
            yield reader
        finally:
            reader.close()

    def list(self, prefix: str) -> Iterator[Stat]:
        """See ``BlobBackend.list``."""
        folder = prefix.rpartition("/")[0]
        with translated(f"Listing {prefix}"):
            yield from walk(self.root / folder, f"{folder}/" if folder else "", prefix)

    def delete(self, keys: Iterable[Key]) -> None:
        """See ``BlobBackend.delete``."""
        for key in keys:
            with translated(f"Deleting {key}"):
                self.disk.unlink(self._path(key))

    def cas(self, key: Key, data: bytes, expect: str | None) -> str:
        """See ``BlobBackend.cas``; writers take turns by a lock on the marker file."""
        final, body, sync = self._path(key), BytesBody(data), self._durability != "none"
        with translated(f"Writing {key}"):
            temp = self._publisher.write_temp(body, body.size, sync=sync, mode=_REF_MODE)
            try:
                with self._locked():
                    _expect(key, content_token(final), expect)
                    self._publisher.rename(temp, final)
            finally:
                self.disk.unlink(temp)
            if sync:
                self._publisher.sync_path(final.parent)
        return Digest.of(data).text

    # Upkeep

    def spool(self) -> Spool:
        """See ``StoreBackend.spool``."""
        return Spool(self._tmp, disk=self.disk)

    def local_path(self, key: Key) -> Path | None:
        """See ``StoreBackend.local_path``."""
        return self._path(key)

    def touch(self, key: Key) -> bool:
        """See ``StoreBackend.touch``; never between the look and the removal of a ``discard``."""
        with translated(f"Touching {key}"), self._locked():
            try:
                self.disk.touch(self._path(key))
            except FileNotFoundError:
                return False
        return True

    def settle(self, key: Key) -> None:
        """See ``StoreBackend.settle``."""
        with translated(f"Syncing {key}"):
            self._settle(self._path(key))

    def move(self, key: Key, target: Key) -> bool:
        """See ``StoreBackend.move``."""
        final, aside = self._path(key), self._path(target)
        with translated(f"Moving {key} to {target}"):
            try:
                self._publisher.rename(final, aside)
            except FileNotFoundError:
                return False
        return True

    def discard(self, stat: Stat, *, keep_in_trash: bool) -> bool:
        """See ``StoreBackend.discard``."""
        final, aside = self._path(stat.key), self._path(layout.trash_key(stat.key))
        with translated(f"Collecting {stat.key}"), self._locked():
            found = stat_file(stat.key, final)
            if found is None or found.modified_ns != stat.modified_ns:
                return False
            if keep_in_trash:
                self._publisher.rename(final, aside)
            else:
                self.disk.unlink(final)
        return True

    def reap(self, before_ns: int, *, apply: bool) -> int:
        """See ``StoreBackend.reap``."""
        old = [each.key for each in self.list(layout.TMP) if each.modified_ns < before_ns]
        if apply:
            self.delete(old)
        return len(old)

    def sync(self) -> None:
        """See ``StoreBackend.sync``."""
        if self._durability == "batch":
            with translated("Syncing the store"):
                self._unsynced.sync()

    def now_ns(self) -> int:
        """See ``StoreBackend.now_ns``."""
        with translated("Reading the file system's clock"):
            return self.disk.now_ns(self._tmp)

    @property
    def _syncs_each(self) -> bool:
        return self._durability == "full"

    def _path(self, key: Key) -> Path:
        return self.root / key

    def _settle(self, final: Path, *, folder_only: bool = False) -> None:
        if self._syncs_each:
            if not folder_only:
                self._publisher.sync_path(final)
            self._publisher.sync_path(final.parent)
        self._unsynced.note()

    def _syncfs(self) -> None:
        fd = os.open(self.root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.disk.syncfs(fd)
        finally:
            os.close(fd)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(self._path(layout.MARKER_KEY), os.O_RDWR | os.O_CLOEXEC)
        try:
            self.disk.lock(fd)
            yield
        finally:
            os.close(fd)

    def _open_or_init(self) -> None:
        marker = self._path(layout.MARKER_KEY)
        if not marker.exists():
            self._refuse_foreign_folder()
            self._init(marker)
        elif not self._tmp.is_dir() and os.access(self.root, os.W_OK):
            # A tool that skips empty folders copied the store; who only reads it needs no tmp/.
            self._tmp.mkdir(exist_ok=True)
        layout.check_marker(marker.read_bytes())

    def _refuse_foreign_folder(self) -> None:
        known = {prefix.rstrip("/") for prefix in layout.PREFIXES} | {layout.MARKER_KEY}
        found = {each.name for each in self.root.iterdir()} if self.root.exists() else set()
        if strange := sorted(found - known):
            raise ConfigError(
                f"{self.root} is not a store: it has no {layout.MARKER_KEY}, but {strange[0]!r}",
                "Choose an empty or a new folder as the store's address",
            )

    def _init(self, marker: Path) -> None:
        """Make the folders first and the marker last, so that a marker means a complete store."""
        self._tmp.mkdir(parents=True, exist_ok=True)
        keep = self._durability != "none"
        if keep:
            self._make_shards()
        body = BytesBody(layout.MARKER)
        temp = self._publisher.write_temp(body, body.size, sync=keep, mode=_REF_MODE)
        self._publisher.rename(temp, marker)
        if keep:
            self._publisher.sync_path(self.root)
            self._publisher.sync_path(self.root.parent)

    def _make_shards(self) -> None:
        folders = [self.root / shard for shard in layout.SHARDS]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for parent in sorted({above for folder in folders for above in folder.parents[:2]}):
            self._publisher.sync_path(parent)


class SharedSync:
    """Lets threads that wait for a sync at the same time share one (group commit)."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._noted = 0
        self._covered = 0
        self._count_lock = Lock()
        self._sync_lock = Lock()

    def note(self) -> None:
        """Count something that the next sync must cover."""
        with self._count_lock:
            self._noted += 1

    def sync(self) -> None:
        """Return when all that was noted before the call is covered."""
        wanted = self._noted
        with self._sync_lock:
            if self._covered >= wanted:
                return
            covered = self._noted
            self._sync()
            self._covered = covered


def _expect(key: Key, found: str | None, expected: str | None) -> None:
    if found != expected:
        raise RefConflictError(f"Another writer moved {key} first", "Read it again and retry")
