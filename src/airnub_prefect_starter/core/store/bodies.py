"""Bodies other than a spool: bytes in memory and files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class BytesBody:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.data)

    @property
    def path(self) -> Path | None:
        """None: the bytes are in memory."""
        return None

    def reader(self) -> BinaryIO:
        """Open the bytes at the start."""
        return io.BytesIO(self.data)


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file that nobody writes any more."""

    path: Path

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.path.stat().st_size

    def reader(self) -> BinaryIO:
        """Open the file at the start."""
        return self.path.open("rb")
