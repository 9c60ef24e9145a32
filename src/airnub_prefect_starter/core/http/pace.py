"""The time that a server may take: total, silence, and least rate. Checked before every receive."""

from __future__ import annotations

from collections.abc import Callable

from airnub_prefect_starter.common.errors import TooSlowError
from airnub_prefect_starter.core.http.policy import HttpLimits

Monotonic = Callable[[], float]


class Pace:
    """Watches the requests of one call for one source.

    Every receive counts, that of headers and chunk sizes too: a server that sends a byte now and
    then passes any timeout of a single receive.

    Args:
        limits: What is allowed.
        shown: How messages call the source.
        monotonic: The time in seconds.
    """

    def __init__(self, limits: HttpLimits, shown: str, monotonic: Monotonic) -> None:
        self._limits = limits
        self._shown = shown
        self._monotonic = monotonic
        self._deadline = monotonic() + limits.total_timeout_s
        self.begin()

    def begin(self) -> None:
        """Start measuring anew, because a new request goes out."""
        self._connect_deadline = self._monotonic() + self._limits.connect_timeout_s
        self._begin_window()

    def received(self, count: int) -> None:
        """Note that so many bytes came in."""
        self._window_bytes += count

    def remaining_s(self) -> float:
        """Give the seconds that are left for everything.

        Raises:
            TooSlowError: None is left. A retry may help.
        """
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise TooSlowError(
                f"{self._shown} took longer than {self._limits.total_timeout_s:g} s",
                "Raise `limits.total_timeout_s` of the source if it is that large",
            )
        return left

    def connect_patience_s(self) -> float:
        """Give the longest time that the next attempt to connect may take, in seconds.

        All addresses of a name share the time for connecting, however many a stranger's DNS gives.

        Raises:
            TimeoutError: That time is used up.
            TooSlowError: No time is left for anything. A retry may help.
        """
        left_s = self._connect_deadline - self._monotonic()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, self.remaining_s())

    def patience_s(self) -> float:
        """Give the longest time that the next receive may take, in seconds.

        Raises:
            TooSlowError: The rate was too low, or no time is left. A retry may help.
        """
        self._check_rate()
        return min(self._limits.idle_timeout_s, self.remaining_s())

    def silence(self) -> TooSlowError:
        """Make the error for a receive that timed out."""
        return TooSlowError(
            f"{self._shown} sent nothing for {self._limits.idle_timeout_s:g} s",
            "Try again later, or raise `limits.idle_timeout_s` of the source",
        )

    def _check_rate(self) -> None:
        elapsed = self._monotonic() - self._window_start
        if elapsed < self._limits.rate_window_s:
            return
        if self._window_bytes < self._limits.min_bytes_per_s * elapsed:
            raise TooSlowError(
                f"{self._shown} sent {self._window_bytes:,} bytes in {elapsed:.0f} s",
                f"At least {self._limits.min_bytes_per_s:g} B/s are expected "
                "(`limits.min_bytes_per_s` of the source)",
            )
        self._begin_window()

    def _begin_window(self) -> None:
        self._window_start = self._monotonic()
        self._window_bytes = 0
