"""Writers and garbage collection at the same time, in random orders of their changes to the disk.

Each actor runs in a thread of its own, but only one at a time; which one goes on is drawn anew
before every change to the disk. After every change each ref must lead to its manifests and blobs.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Semaphore, Thread, current_thread

import pytest

from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.gc import mark, sweep
from airnub_prefect_starter.core.store.verify import verify
from tests.store_conformance import derive, fetch
from tests.unit.core.store.tools import ClockedDisk, HandClock, local_backend

Actor = Callable[[], object]

BYTES = [b"one", b"two", b"three"]
SOURCES = ["airports", "planes"]
ROUNDS = 4


class Stepper:
    """Runs actors one at a time; an actor that is about to change the disk may be overtaken."""

    def __init__(self, random: Random, check: Callable[[], None]) -> None:
        self._random = random
        self._check = check
        self._go: dict[Thread, Semaphore] = {}
        self._parked = Semaphore(0)

    def step(self) -> None:
        """Let another actor go on, if it is drawn; does nothing outside ``run``."""
        if (mine := self._go.get(current_thread())) is not None:
            self._parked.release()
            mine.acquire()

    def run(self, *actors: Actor) -> None:
        errors: list[BaseException] = []

        def play(actor: Actor) -> None:
            self._go[current_thread()].acquire()
            try:
                actor()
            except Exception as error:  # noqa: BLE001 - raised again in the main thread
                errors.append(error)
            finished.append(current_thread())
            self._parked.release()

        finished: list[Thread] = []
        threads = [Thread(target=play, args=(actor,)) for actor in actors]
        self._go = {thread: Semaphore(0) for thread in threads}
        for thread in threads:
            thread.start()
        while len(finished) < len(threads):
            self._go[
                self._random.choice([each for each in threads if each not in finished])
            ].release()
            self._parked.acquire()
            self._check()
        self._go = {}
        for thread in threads:
            thread.join()
        assert errors == []


class SteppedDisk(ClockedDisk):
    """A disk before each change of which another actor may go on."""

    def __init__(self, clock: HandClock, step: Callable[[], None]) -> None:
        super().__init__(clock)
        self._step = step

    def link(self, source: Path, target: Path) -> None:
        self._step()
        super().link(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)

    def touch(self, path: Path) -> None:
        self._step()
        super().touch(path)

    def lock(self, fd: int) -> None:
        while True:
            self._step()
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return


def require_resolvable(root: Path) -> None:
    for ref in (root / "refs").rglob("*.json"):
        require_manifest(root, json.loads(ref.read_bytes())["manifest"]["digest"], str(ref))


def require_manifest(root: Path, digest: str, named_by: str) -> None:
    hexes = digest.removeprefix("sha256:")
    path = root / "manifests" / "sha256" / hexes[:2] / f"{hexes}.json"
    assert path.exists(), f"{named_by} leads to {digest}, which is gone"
    manifest = json.loads(path.read_bytes())
    blobs = [each["blob"]["digest"] for each in manifest.get("outputs", [])]
    blobs += [each["blob"] for each in manifest.get("inputs", [])]
    blobs += [manifest["blob"]["digest"]] if "blob" in manifest else []
    for blob in blobs:
        hexes = blob.removeprefix("sha256:")
        assert (root / "blobs" / "sha256" / hexes[:2] / hexes).exists(), f"{digest} lost {blob}"
    for each in manifest.get("inputs", []):
        require_manifest(root, each["manifest"], digest)


@pytest.mark.parametrize("seed", range(60))
def test_refs_always_resolve_while_gc_runs(tmp_path: Path, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seed that repeats the order is the point
    clock = HandClock()
    stepper = Stepper(random, lambda: require_resolvable(tmp_path))
    disk = SteppedDisk(clock, stepper.step)
    store = Store(local_backend(tmp_path, durability="none", disk=disk), clock)

    def fetch_some() -> None:
        for _ in range(3):
            fetch(store, random.choice(BYTES), source_id=random.choice(SOURCES))

    def derive_some() -> None:
        for _ in range(2):
            ref = store.ref("alpha", random.choice(SOURCES))
            if ref is not None:
                derive(store, random.choice(BYTES), ref)

    for _ in range(ROUNDS):
        collect = random.choice([lambda: mark(store), lambda: sweep(store, apply=True)])
        stepper.run(fetch_some, fetch_some, derive_some, collect)
        clock.forward(days=random.choice([1, 4, 8]))
        mark(store)
        clock.forward(days=4)
    assert verify(store, level="deep").ok
