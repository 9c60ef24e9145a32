"""Copies of blobs for the outside world: verified before they get their name."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO, Literal

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.disk import temp_name
from airnub_prefect_starter.core.store.faults import translated
from airnub_prefect_starter.core.store.objects import Objects
from airnub_prefect_starter.core.store.protocol import StoreBackend

Link = Literal["reflink", "hard", "copy"]

_FICLONE = 0x40049409  # linux/fs.h
_NO_SHARING = {errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EPERM}
_NO_HARD_LINK = _NO_SHARING | {errno.EMLINK}
_RANGE_BYTES = 1 << 30
_COPY_BYTES = 1 << 20
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def export(
    backend: StoreBackend, objects: Objects, digest: Digest, target: Path, *, link: Link
) -> None:
    """Write a verified copy of a blob to a path; see ``Store.export``."""
    key = layout.blob_key(digest)
    temp = target.parent / f".{temp_name()}.part"
    with translated(f"Exporting {digest} to {target}"):
        if target.is_dir():
            raise ConfigError(f"{target} is a folder", "Name a file in it")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source = backend.local_path(key)
            if source is None or not _share(source, temp, link) or not _is(temp, digest):
                temp.unlink(missing_ok=True)
                with objects.open(key, digest) as stream, _create(temp) as out:
                    shutil.copyfileobj(stream, out, _COPY_BYTES)
            temp.replace(target)
        finally:
            temp.unlink(missing_ok=True)


def _share(source: Path, temp: Path, link: Link) -> bool:
    """Fill a file without moving its bytes through this process; False if that is not possible."""
    try:
        if link == "hard":
            return _hard_link(source, temp)
        return link == "reflink" and _clone(source, temp)
    except FileNotFoundError:
        if temp.parent.is_dir():
            return False  # the verified read will say that the blob is missing
        raise


def _hard_link(source: Path, temp: Path) -> bool:
    if source.stat().st_size == 0:
        return False  # all empty files of the world would share one inode and its link limit
    try:
        os.link(source, temp, follow_symlinks=False)
    except OSError as exc:
        if exc.errno in _NO_HARD_LINK:
            return False
        raise
    return True


def _clone(source: Path, temp: Path) -> bool:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with _create(temp) as out:
            return _reflink(reading, out.fileno()) or _copy_range(reading, out.fileno())
    finally:
        os.close(reading)


def _reflink(reading: int, writing: int) -> bool:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as exc:
        if exc.errno in _NO_SHARING:
            return False
        raise
    return True


def _copy_range(reading: int, writing: int) -> bool:
    try:
        while os.copy_file_range(reading, writing, _RANGE_BYTES):
            pass
    except OSError as exc:
        if exc.errno in _NO_SHARING:
            return False
        raise
    return True


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, _NEW, 0o666), "wb")


def _is(path: Path, digest: Digest) -> bool:
    """Tell whether a file has the bytes of a digest; if not, the verified read finds out why."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == digest.hex
