"""Programs that fork: writers that are killed, and writers that race. Started by the tests.

They run in an interpreter of their own, because forking is only safe without threads. A store is
named by its folder or by its address in a bucket, whose server the environment names.
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

from airnub_prefect_starter.core.store.local import Durability
from airnub_prefect_starter.core.store.s3_client import client_for
from airnub_prefect_starter.core.store.store import Store
from airnub_prefect_starter.core.store.verify import verify
from tests.s3_kit import s3_backend
from tests.store_conformance import derive, fetch
from tests.unit.core.store.tools import HookedDisk, local_store

SMALL, LARGE = 3000, (8 << 20) + 1
CALLS_PER_CHILD = 100
DURABILITIES: tuple[Durability, ...] = ("full", "batch", "none")
RACE_BYTES = 16 << 20


def kill_at(call: int) -> Callable[..., None]:
    """Return a hook that kills its process without warning when it is called for this time."""
    left = [call]

    def hook(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def open_to_be_killed(root: str, random: Random) -> Store:
    """Open a store whose writer dies before a change of the disk, or before or after a request."""
    kill = kill_at(random.randint(1, CALLS_PER_CHILD))
    if not is_bucket(root):
        durability = random.choice(DURABILITIES)
        return local_store(Path(root), durability=durability, disk=HookedDisk(kill))
    backend = s3_backend(root)
    events = client_for(backend.bucket.connection).meta.events
    events.register("before-send.s3", kill)
    events.register("response-received.s3", kill)
    return Store(backend)


def is_bucket(root: str) -> bool:
    return root.startswith("s3:")


def open_whole(root: str) -> Store:
    return Store(s3_backend(root)) if is_bucket(root) else local_store(Path(root))


def write_until_killed(root: str, random: Random) -> None:
    store = open_to_be_killed(root, random)
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


def crash(root: str, count: int) -> None:
    """Kill so many writers; after each, print what is wrong with the store."""
    random = Random(1)  # noqa: S311 - a seed that repeats the points is the point
    store = open_whole(root)
    for number in range(count):
        child = Random(random.random())  # noqa: S311
        status = in_child(partial(write_until_killed, root, child))
        # A bucket shows no part of an object, so reading all of it once is enough.
        deep = not is_bucket(root) or number == count - 1
        report = verify(store, level="deep" if deep else "meta")
        show(
            killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            violations=[f"{each.kind} {each.key} {each.detail}" for each in report.violations],
            unfinished=report.unfinished,
            refs=report.refs,
        )


def race(root: str, count: int) -> None:
    """Let so many processes put the same bytes at the same moment; print each outcome.

    They all use a store that was opened and used before they were forked.
    """
    store = open_whole(root)
    store.put_bytes(b"before")
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(count)
    children = [context.Process(target=_race_one, args=(store, barrier, i)) for i in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def _race_one(store: Store, barrier: Barrier, number: int) -> None:
    data = b"race" * (RACE_BYTES // 4)
    barrier.wait()
    committed = fetch(store, data, source_id=f"source-{number % 4}")
    show(outcome=committed.outcome)


def show(**values: object) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    {"crash": crash, "race": race}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
