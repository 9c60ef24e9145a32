"""Writers and garbage collection at the same time, in an order that a seed decides.

Each actor runs in a thread of its own, but only one at a time; which one goes on is drawn anew
before every step: a change of the disk, or a request.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import Semaphore, Thread, current_thread

from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.gc import mark, sweep
from tests.store_conformance import derive, fetch
from tests.unit.core.store.tools import HandClock

Actor = Callable[[], object]

BYTES = [b"one", b"two", b"three"]
SOURCES = ["airports", "planes"]
ROUNDS = 4


class Stepper:
    """Runs actors one at a time; an actor may be overtaken at each of its steps."""

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


def play_round(store: Store, clock: HandClock, stepper: Stepper, random: Random) -> None:
    """Let three writers and a phase of gc meet; then let days pass, so that there is garbage."""

    def fetch_some() -> None:
        for _ in range(3):
            fetch(store, random.choice(BYTES), source_id=random.choice(SOURCES))

    def derive_some() -> None:
        for _ in range(2):
            ref = store.ref("alpha", random.choice(SOURCES))
            if ref is not None:
                derive(store, random.choice(BYTES), ref)

    collect = random.choice([lambda: mark(store), lambda: sweep(store, apply=True)])
    stepper.run(fetch_some, fetch_some, derive_some, collect)
    clock.forward(days=random.choice([1, 4, 8]))
    mark(store)
    clock.forward(days=4)
