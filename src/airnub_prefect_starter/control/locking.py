"""The lock by which two `airnub up` or `airnub down` take turns."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import Layout

_POLL_S = 0.1


@contextmanager
def locked(layout: Layout, timeout_s: float, on_progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the platform's lock.

    Raises:
        PlatformError: Another process holds it for too long.
    """
    layout.home.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with layout.lock.open("w") as lock:
        told = False
        while not _try_lock(lock.fileno()):
            if not told:
                on_progress("Waiting for another `airnub up` or `airnub down`")
                told = True
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"Another process holds {layout.lock}", "Wait for it, or end it"
                )
            time.sleep(_POLL_S)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
