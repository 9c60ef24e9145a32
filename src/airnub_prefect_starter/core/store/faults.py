"""Errors of the operating system as errors of the store, translated in this one place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from airnub_prefect_starter.common.errors import (
    NoSpaceError,
    ObjectNotFoundError,
    StoreDeniedError,
    StoreError,
    StoreUnavailableError,
)

_KINDS: dict[int, tuple[type[StoreError], str]] = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        (NoSpaceError, "Free space on the store's disk, e.g. with `airnub store gc`"),
    ),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP),
        (StoreDeniedError, "Give this user read and write access to the store's folder"),
    ),
    **dict.fromkeys(
        (errno.ENOENT, errno.ENOTDIR),
        (ObjectNotFoundError, "Check the name, or look for the damage with `airnub store verify`"),
    ),
}
_OTHER = (StoreUnavailableError, "Try again; if it stays, check the disk and the kernel's log")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn any ``OSError`` inside into the store's error for it.

    Raises:
        NoSpaceError: The disk or quota is full. No retry.
        StoreDeniedError: Permission is missing, or the file system is read-only. No retry.
        ObjectNotFoundError: The file or its folder is not there. No retry.
        StoreUnavailableError: Anything else, such as an I/O error. A retry may help.
    """
    try:
        yield
    except OSError as exc:
        raise store_error(exc, doing) from exc


def store_error(exc: OSError, doing: str) -> StoreError:
    """Return the store's error for an error of the operating system."""
    kind, remedy = _KINDS.get(exc.errno or 0, _OTHER)
    return kind(f"{doing} failed: {exc.strerror or exc}", remedy)
