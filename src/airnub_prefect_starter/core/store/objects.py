"""Immutable objects under their digest: put once, heal, read with proof."""

from __future__ import annotations

import io
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO, Never

from airnub_prefect_starter.common.clock import Clock
from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    StoreUnavailableError,
    TooLargeError,
)
from airnub_prefect_starter.core.manifest_models import Outcome
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.protocol import Body, PutStatus, Stat, StoreBackend
from airnub_prefect_starter.core.store.reading import READ_BYTES, VerifyingReader, hash_of

log = logging.getLogger(__name__)

MIN_AGE_FLOOR = timedelta(hours=24)
"""The least age at which gc may take an object; see ``gc``."""

_PUT_ATTEMPTS = 5


class Objects:
    """Blobs and manifests alike: objects whose key is the digest of their bytes.

    Args:
        backend: Where they are.
        clock: The time, to tell when an object is old enough to be touched.
    """

    def __init__(self, backend: StoreBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock

    def put(self, key: Key, digest: Digest, body: Body) -> Outcome:
        """Publish an object, unless intact bytes are there already.

        What is there is hashed, at 0.6 CPU s/GB, unless the storage tells a digest of its own: the
        price of never answering "deduplicated" for bytes that have rotted. Wrong bytes move to
        ``quarantine/`` and the good ones replace them.

        Returns:
            ``stored``, ``deduplicated`` or ``repaired``.

        Raises:
            StoreError: The bytes could not be published.
        """
        healed = False
        for _ in range(_PUT_ATTEMPTS):
            found = self._backend.stat(key)
            if found is None:
                if self._create(key, digest, body):
                    return "repaired" if healed else "stored"
                continue
            try:
                if not self._is_intact(found, digest, body.size):
                    self.quarantine(key, digest)
                    healed = True
                elif self._keep(found):
                    return "repaired" if healed else "deduplicated"
            except ObjectNotFoundError:  # collected or quarantined since it was seen
                log.debug("%s vanished while it was looked at", key)
        raise StoreUnavailableError(
            f"{key} kept changing while it was written", "Try again when other writers are done"
        )

    @contextmanager
    def open(self, key: Key, digest: Digest, size: int | None = None) -> Iterator[BinaryIO]:
        """Open an object for a verified read; its size, if known, is compared before anything else.

        Raises:
            ObjectNotFoundError: There is none. No retry.
            CorruptObjectError: Size or bytes are wrong, no later than at the last byte; the object
                is then in ``quarantine/``. No retry: fetch the source again.
        """
        with self._backend.open(key) as reader:
            if size is not None and reader.stat.size != size:
                self._corrupt(key, digest, f"it has {reader.stat.size} bytes, not {size}")
            raw = VerifyingReader(reader, digest, lambda why: self._corrupt(key, digest, why))
            with io.BufferedReader(raw, READ_BYTES) as stream:
                yield stream

    def read(self, key: Key, digest: Digest, *, max_bytes: int) -> bytes:
        """Read an object that fits in memory, verified before it is returned.

        Raises:
            TooLargeError: It has more than ``max_bytes``. No retry.
            StoreError: As for ``open``.
        """
        with self._backend.open(key) as reader:
            size = reader.stat.size
            if size > max_bytes:
                raise TooLargeError(
                    f"{key} has {size} bytes, more than the {max_bytes} that are read into memory",
                    "Split what it is made from into smaller parts, each a source of its own",
                )
            data = reader.read()
        if Digest.of(data) != digest:
            self._corrupt(key, digest, "its bytes have another digest")
        return data

    def check(self, key: Key, digest: Digest) -> None:
        """Read an object to its end for the proof alone; raises as ``open`` does."""
        with self._backend.open(key) as reader:
            found = hash_of(reader)
        if found != digest.text:
            self._corrupt(key, digest, f"its bytes have the digest {found}")

    def quarantine(self, key: Key, digest: Digest) -> bool:
        """Move an object with wrong bytes out of the way; nothing is ever deleted.

        Returns:
            False if its bytes are those of the digest after all, so that it stays.
        """
        aside = layout.quarantine_key(key, uuid.uuid4().hex)
        if not self._backend.move(key, aside):
            return True  # another one did
        with self._backend.open(aside) as reader:
            intact = hash_of(reader) == digest.text
        if intact:
            self._backend.move(aside, key)
        else:
            log.warning("%s is corrupt and was moved to %s", key, aside)
        return not intact

    def holds(self, key: Key, digest: Digest, size: int) -> bool:
        """Tell whether intact bytes are there, and keep them from gc if so."""
        found = self._backend.stat(key)
        return found is not None and self._is_intact(found, digest, size) and self._keep(found)

    def _create(self, key: Key, digest: Digest, body: Body) -> bool:
        status = self._backend.put(key, body, sha256=digest, size=body.size, if_absent=True)
        return status is PutStatus.CREATED

    def _is_intact(self, found: Stat, digest: Digest, size: int) -> bool:
        if found.size != size:
            return False
        if found.sha256 is not None:
            return found.sha256 == digest
        with self._backend.open(found.key) as reader:
            return hash_of(reader) == digest.text

    def _keep(self, found: Stat) -> bool:
        """Keep an object from gc while the new reference is not written; False if it is gone."""
        age_s = self._clock().timestamp() - found.modified_ns / 1e9
        if age_s > MIN_AGE_FLOOR.total_seconds() / 2:
            return self._backend.touch(found.key)
        self._backend.settle(found.key)
        return True

    def _corrupt(self, key: Key, digest: Digest, why: str) -> Never:
        if self.quarantine(key, digest):
            raise CorruptObjectError(
                f"{key} is corrupt: {why}; it is in {layout.QUARANTINE} now",
                "Fetch its source again, or run `airnub store verify --repair`",
            )
        raise CorruptObjectError(
            f"{key} is sound, yet {why}",
            "Try again; if it stays, what names it is wrong: run `airnub store verify`",
        )
