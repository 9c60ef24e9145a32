"""The questions to a disk; see ``probe``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from airnub_prefect_starter.common.errors import RefConflictError
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.disk import temp_name
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.local import LocalBackend
from airnub_prefect_starter.core.store.probe import (
    MAX_SKEW_S,
    PARALLEL,
    Check,
    Finding,
    Otherwise,
    run_checks,
    skipped,
)
from airnub_prefect_starter.core.store.protocol import PutStatus
from airnub_prefect_starter.core.store.spool import RESERVE_BYTES

_NO_DIGESTS = "a disk computes none: what is read is hashed"


class _LocalProbe:
    """The questions, and the keys that were used to ask them."""

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self._keys: list[Key] = []

    def same_bytes(self) -> str:
        data = os.urandom(1 << 20)
        key = self._key()
        self._put(key, data, if_absent=False)
        with self._backend.open(key) as reader:
            if reader.read() != data:
                raise Otherwise("1 MiB came back changed")
        return "1 MiB came back unchanged"

    def links(self) -> str:
        key, link = self._key(), self._key()
        self._put(key, b"probe", if_absent=False)
        root = self._backend.root
        try:
            os.link(root / key, root / link, follow_symlinks=False)
        except OSError as exc:
            raise Otherwise(exc.strerror or str(exc)) from None
        return "hard links work"

    def one_creates(self) -> str:
        key = self._key()
        with ThreadPoolExecutor(PARALLEL) as pool:
            puts = [pool.submit(self._put, key, b"probe", if_absent=True) for _ in range(PARALLEL)]
        created = [put.result() for put in puts].count(PutStatus.CREATED)
        if created != 1:
            raise Otherwise(f"{created} of {PARALLEL} at once created it")
        return f"one of {PARALLEL} at once created it"

    def swaps(self) -> str:
        key = self._key()
        self._backend.cas(key, b"first", None)
        try:
            self._backend.cas(key, b"second", Digest.of(b"other").text)
        except RefConflictError:
            return "a stale write was refused"
        raise Otherwise("a stale write was accepted")

    def lists(self) -> str:
        key = self._key()
        self._put(key, b"probe", if_absent=False)
        if key not in {stat.key for stat in self._backend.list(layout.TMP)}:
            raise Otherwise("what was just put is not listed")
        return "what was just put is listed"

    def clock(self) -> str:
        skew_s = abs(self._backend.now_ns() / 1e9 - time.time())
        if skew_s > MAX_SKEW_S:
            raise Otherwise(f"it differs by {skew_s:.0f} s from this machine's")
        return "it agrees with this machine's"

    def space(self) -> str:
        free = self._backend.disk.free_bytes(self._backend.root)
        if free < 2 * RESERVE_BYTES:
            raise Otherwise(f"{human_bytes(free)} are free")
        return f"{human_bytes(free)} are free"

    def clean(self) -> None:
        self._backend.delete(self._keys)

    def _put(self, key: Key, data: bytes, *, if_absent: bool) -> PutStatus:
        body, digest = BytesBody(data), Digest.of(data)
        return self._backend.put(key, body, sha256=digest, size=len(data), if_absent=if_absent)

    def _key(self) -> Key:
        self._keys.append(Key(f"{layout.TMP}probe-{temp_name()}"))
        return self._keys[-1]


def local_findings(backend: LocalBackend) -> Iterator[Finding]:
    """Ask a disk, and take away what was put for it."""
    probe = _LocalProbe(backend)
    try:
        yield from run_checks(_checks(probe))
    finally:
        probe.clean()


def _checks(probe: _LocalProbe) -> list[Check | Finding]:
    return [
        Check(
            "P1",
            "bytes come back as they were put",
            probe.same_bytes,
            "failed",
            "Keep no store on this disk: check it and the kernel's log",
        ),
        skipped("P2", "a wrong digest is refused", _NO_DIGESTS),
        skipped("P3", "digests are kept", _NO_DIGESTS),
        Check(
            "P4",
            "a put can leave what is there",
            probe.links,
            "degraded",
            "Puts rename instead: of two writers of the same bytes, the last one's stay",
        ),
        Check(
            "P5",
            "one of many writers creates",
            probe.one_creates,
            "degraded",
            "Several writers may say that they stored the same bytes; they are stored once",
        ),
        Check(
            "P6",
            "a stale ref is refused",
            probe.swaps,
            "degraded",
            "Locks do not work here: write each source from one run at a time",
        ),
        skipped("P7", "a put in parts can leave what is there", "a disk knows no parts"),
        Check(
            "P8",
            "listings are complete",
            probe.lists,
            "failed",
            "gc is not safe here: use another file system",
        ),
        Check("P9", "the clock is right", probe.clock, "degraded", "gc refuses: set the clocks"),
        Check("P10", "there is space", probe.space, "degraded", "Free space: little can be put"),
    ]
