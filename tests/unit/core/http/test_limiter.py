from __future__ import annotations

import threading

import pytest

from airnub_prefect_starter.common.errors import TooSlowError
from airnub_prefect_starter.core.http.limiter import HostLimiter


def test_starts_are_as_far_apart_as_was_asked() -> None:
    pauses: list[float] = []
    limiter = HostLimiter(monotonic=lambda: 100.0, sleep=pauses.append)

    for host in ("a", "a", "b", "a"):
        with limiter.slot(host, at_once=1, interval_s=2, patience_s=1):
            pass

    assert pauses == [2.0, 4.0]


def test_no_more_than_so_many_at_once() -> None:
    limiter = HostLimiter()
    inside, most = 0, 0
    lock = threading.Lock()
    everybody = threading.Barrier(2, timeout=5)

    def visit() -> None:
        nonlocal inside, most
        with limiter.slot("a", at_once=2, interval_s=0, patience_s=5):
            with lock:
                inside += 1
                most = max(most, inside)
            everybody.wait()
            with lock:
                inside -= 1

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 2


def test_a_slot_that_never_comes_free() -> None:
    limiter = HostLimiter()
    with (
        limiter.slot("a", at_once=1, interval_s=0, patience_s=0),
        pytest.raises(TooSlowError),
        limiter.slot("a", at_once=1, interval_s=0, patience_s=0.01),
    ):
        pass


def test_a_slot_is_given_back_after_an_error() -> None:
    limiter = HostLimiter()
    for _ in range(2):
        with (
            pytest.raises(RuntimeError),
            limiter.slot("a", at_once=1, interval_s=0, patience_s=0.01),
        ):
            raise RuntimeError
