"""How many requests go to one host at once, and how far apart, across all threads of a process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airnub_prefect_starter.common.errors import TooSlowError

Sleep = Callable[[float], None]


class HostLimiter:
    """Slots and a one-token bucket per host.

    Args:
        monotonic: The time in seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._changed = threading.Condition()
        self._active: Counter[str] = Counter()
        self._next_start: dict[str, float] = {}

    @contextmanager
    def slot(
        self, host: str, *, at_once: int, interval_s: float, patience_s: float
    ) -> Iterator[None]:
        """Hold one of a host's slots, not before it is this request's turn.

        Args:
            host: Whose slot.
            at_once: Slots that the host has.
            interval_s: Least time between the starts of two requests.
            patience_s: Longest time to wait for a slot.

        Raises:
            TooSlowError: None became free in time. A retry may help.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._active[host] < at_once, patience_s):
                raise TooSlowError(f"No request to {host} could start in time", "Try again later")
            self._active[host] += 1
            delay_s = self._reserve(host, interval_s)
        try:
            if delay_s > 0:
                self._sleep(delay_s)
            yield
        finally:
            with self._changed:
                self._active[host] -= 1
                self._changed.notify_all()

    def _reserve(self, host: str, interval_s: float) -> float:
        now = self._monotonic()
        start = max(now, self._next_start.get(host, now))
        if interval_s > 0:
            self._next_start[host] = start + interval_s
        return start - now
