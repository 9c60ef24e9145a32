"""Reading an object of a bucket as it arrives."""

from __future__ import annotations

import io
from typing import Any

from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.s3_faults import translated


class S3Reader:
    """A ``Reader`` over the body of an answer; one that ends early raises, it is never short."""

    def __init__(self, body: Any, stat: Stat) -> None:
        self._body = body
        self.stat = stat

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """See ``Reader.readinto``."""
        with translated(f"Reading {self.stat.key}"):
            count: int = self._body.readinto(buffer)
            return count

    def read(self, size: int = -1, /) -> bytes:
        """See ``Reader.read``."""
        with translated(f"Reading {self.stat.key}"):
            data: bytes = self._body.read(None if size < 0 else size)
            return data

    def close(self) -> None:
        """Close the connection, or give it back if all was read."""
        self._body.close()


def reader_at_end(stat: Stat) -> S3Reader:
    """Give a reader of what follows the last byte: nothing."""
    return S3Reader(io.BytesIO(), stat)
