"""Files that are numbered, each written once by whoever is first: releases, versions of models."""

from __future__ import annotations

import re

from airnub_prefect_starter.common.errors import ObjectNotFoundError, RefConflictError
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import BlobBackend

_NAME = re.compile(r"([1-9][0-9]*)\.json")


def numbers(backend: BlobBackend, prefix: str) -> list[int]:
    """List the numbers of the files ``<prefix><n>.json``, the first one first; others are none.

    Raises:
        StoreError: The store cannot be read.
    """
    names = (stat.key.removeprefix(prefix) for stat in backend.list(prefix))
    return sorted(int(found[1]) for found in map(_NAME.fullmatch, names) if found)


def claim(backend: BlobBackend, key: Key, data: bytes) -> bool:
    """Write a file if there is none yet, and read it back; tell if it is there.

    Raises:
        StoreError: The store cannot read or write.
    """
    try:
        backend.cas(key, data, None)
    except RefConflictError:
        return False
    # A server without conditions lets the last of two writers win: the first one sees that here.
    return read(backend, key) == data


def read(backend: BlobBackend, key: Key) -> bytes | None:
    """Read a file; None if there is none.

    Raises:
        StoreError: The store cannot be read.
    """
    try:
        with backend.open(key) as reader:
            return reader.read()
    except ObjectNotFoundError:
        return None
