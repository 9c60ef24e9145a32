"""Reading with proof: bytes are hashed on the way out and the last ones are held back if wrong."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from airnub_prefect_starter.core.store.digest import ALGORITHM, Digest
from airnub_prefect_starter.core.store.protocol import Reader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 1 << 20


class VerifyingReader(io.RawIOBase):
    """A stream over an object that fails no later than at its last byte.

    Args:
        reader: The object, open at its start.
        digest: What its bytes must hash to.
        corrupt: Called with what is wrong; it must raise.
    """

    def __init__(self, reader: Reader, digest: Digest, corrupt: Callable[[str], None]) -> None:
        super().__init__()
        self._reader = reader
        self._digest = digest
        self._corrupt = corrupt
        self._hash = hashlib.sha256()
        self._left = reader.stat.size
        if self._left == 0:
            self._check()

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer, return the number of bytes, 0 at the end.

        Raises:
            CorruptObjectError: The bytes are not those of the digest. No retry.
        """
        view = memoryview(buffer).cast("B")
        if self._left == 0 or not view:
            return 0
        count = self._reader.readinto(view[: self._left])
        self._hash.update(view[:count])
        self._left -= count
        if count == 0:
            self._corrupt(f"it ends {self._left} bytes early")
        elif self._left == 0:
            self._check()
        return count

    def _check(self) -> None:
        found = f"{ALGORITHM}:{self._hash.hexdigest()}"
        if found != self._digest.text:
            self._corrupt(f"its bytes have the digest {found}")


def hash_of(reader: Reader) -> str:
    """Return the digest of an object as text, read in constant memory."""
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(min(READ_BYTES, max(reader.stat.size, 1))))
    while count := reader.readinto(buffer):
        hasher.update(buffer[:count])
    return f"{ALGORITHM}:{hasher.hexdigest()}"
