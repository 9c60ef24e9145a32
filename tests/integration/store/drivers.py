"""Programs that fork: writers that are killed, and writers that race. Started by the tests.

They run in an interpreter of their own, because forking is only safe without threads.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random

from airnub_prefect_starter.core.store.store import Store
from airnub_prefect_starter.core.store.verify import verify
from tests.store_conformance import derive, fetch
from tests.unit.core.store.tools import HookedDisk, local_store

SMALL, LARGE = 3000, (8 << 20) + 1
CALLS_PER_CHILD = 100
RACE_BYTES = 16 << 20


def kill_at(call: int) -> Callable[[str, str], None]:
    """Return a hook that kills its process without warning before the given change of the disk."""
    left = [call]

    def hook(_name: str, _path: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def write_until_killed(root: Path, random: Random) -> None:
    disk = HookedDisk(kill_at(random.randint(1, CALLS_PER_CHILD)))
    store = local_store(root, durability=random.choice(["full", "batch", "none"]), disk=disk)
    while True:
        data = random.randbytes(random.randint(0, SMALL))
        if random.random() < 0.1:
            data = random.choice([b"x", b"y"]) * LARGE
        fetch(store, data, source_id=random.choice("abc"))
        if ref := store.ref("alpha", random.choice("abc")):
            derive(store, random.randbytes(100), ref)


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked process and return how that ended, as ``waitpid`` tells."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def crash(root: Path, count: int) -> None:
    """Kill so many writers; after each, print what is wrong with the store."""
    random = Random(1)  # noqa: S311 - a seed that repeats the points is the point
    store = local_store(root, durability="none")
    for _ in range(count):
        child = Random(random.random())  # noqa: S311
        status = in_child(partial(write_until_killed, root, child))
        report = verify(store, level="deep")
        show(
            killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            violations=[f"{each.kind} {each.key} {each.detail}" for each in report.violations],
            unfinished=report.unfinished,
            refs=report.refs,
        )


def race(root: Path, count: int) -> None:
    """Let so many processes put the same bytes at the same moment; print each outcome."""
    local_store(root)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(count)
    children = [context.Process(target=_race_one, args=(root, barrier, i)) for i in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def _race_one(root: Path, barrier: Barrier, number: int) -> None:
    store: Store = local_store(root)
    data = b"race" * (RACE_BYTES // 4)
    barrier.wait()
    committed = fetch(store, data, source_id=f"source-{number % 4}")
    show(outcome=committed.outcome)


def show(**values: object) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    {"crash": crash, "race": race}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
