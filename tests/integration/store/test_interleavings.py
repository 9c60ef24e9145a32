"""Writers and gc at the same time: after every step each ref must lead to manifests and blobs."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.verify import verify
from tests.integration.store.stepping import ROUNDS, Stepper, play_round
from tests.unit.core.store.tools import ClockedDisk, HandClock, local_backend


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

    for _ in range(ROUNDS):
        play_round(store, clock, stepper, random)
    assert verify(store, level="deep").ok
