"""What a storage backend must do: six primitives for data and a few calls for upkeep.

Hashing, deduplication, manifests, refs, verification and collection stand on these alone and are
the same for every backend; ``tests/store_conformance.py`` is the executable form of this text.
Every failure is a ``StoreError`` of ``common.errors``; no backend lets an ``OSError`` or a
client library's exception through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Protocol

from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.spool import Spool


class PutStatus(Enum):
    """How a conditional put ended."""

    CREATED = "created"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Stat:
    """What a backend knows about an object without reading it.

    ``sha256`` is a digest that the *server* computed (None where there is none, as on disk).
    ``token`` names the content of a ref or pin for ``cas`` (an ETag; on disk the content's
    digest); None for other objects. ``modified_ns`` is by the storage's clock, since the epoch.
    """

    key: Key
    size: int
    modified_ns: int
    sha256: Digest | None = None
    token: str | None = None


class Body(Protocol):
    """Bytes to be put, readable from the start as often as a retry needs."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def path(self) -> Path | None:
        """A file with exactly these bytes that nobody writes any more; None if in memory."""

    def reader(self) -> BinaryIO:
        """Open the bytes at the start; the caller closes."""


class Reader(Protocol):
    """An object open for reading."""

    @property
    def stat(self) -> Stat:
        """The object as it was when it was opened, with its token."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill a buffer and return the number of bytes, 0 at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to so many bytes, or all that is left."""


class BlobBackend(Protocol):
    """The six primitives on which the data path stands."""

    def stat(self, key: Key) -> Stat | None:
        """Describe an object, or answer None if there is none."""

    def put(self, key: Key, body: Body, *, sha256: Digest, size: int, if_absent: bool) -> PutStatus:
        """Publish an object atomically: readers see nothing or all of it.

        With ``if_absent`` an existing object stays and EXISTS is the answer; a backend whose
        conditions are missing or costly may write again, since equal keys mean equal bytes.
        Returns only when the object is as durable as the backend's setting says.

        Raises:
            StoreIntegrityError: The server received other bytes than ``sha256``. A retry may help.
        """

    def open(self, key: Key, offset: int = 0) -> AbstractContextManager[Reader]:
        """Open an object for reading from a byte.

        Raises:
            ObjectNotFoundError: There is none. No retry.
        """

    def list(self, prefix: str) -> Iterator[Stat]:
        """List objects whose keys start with a prefix, in the order of their keys, streaming."""

    def delete(self, keys: Iterable[Key]) -> None:
        """Delete objects; one that is not there is no failure."""

    def cas(self, key: Key, data: bytes, expect: str | None) -> str:
        """Replace a ref if its token is the expected one (None: if absent); return the new token.

        Raises:
            RefConflictError: Another writer was first. A retry after reading again may help.
        """


class StoreBackend(BlobBackend, Protocol):
    """A backend with its upkeep; in brackets what an object store does for it."""

    def spool(self) -> Spool:
        """Return an empty spool, best where put need not copy it (S3: in the system's folder)."""

    def local_path(self, key: Key) -> Path | None:
        """The file behind an object, for links and reflinks; None if there is none (S3: None)."""

    def touch(self, key: Key) -> bool:
        """Make an object young again; False if it is gone (S3: copy onto itself)."""

    def settle(self, key: Key) -> None:
        """Make durable what another writer may have put just now (S3: nothing to do)."""

    def move(self, key: Key, target: Key) -> bool:
        """Give an object another key; False if it is gone (S3: copy, then delete)."""

    def discard(self, stat: Stat, *, keep_in_trash: bool) -> bool:
        """Remove an object unless it is gone or was touched since ``stat``; tell if removed."""

    def reap(self, before_ns: int, *, apply: bool) -> int:
        """Count what writers left unfinished before a time (S3: uploads too), or remove it."""

    def sync(self) -> None:
        """Make everything put so far durable, where put does not (durability ``batch``)."""

    def now_ns(self) -> int:
        """The time by the storage's own clock, since the epoch (S3: the Date header)."""
