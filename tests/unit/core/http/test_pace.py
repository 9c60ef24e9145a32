from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import TooSlowError
from airnub_prefect_starter.core.http import HttpLimits
from airnub_prefect_starter.core.http.pace import Pace

LIMITS = HttpLimits(
    idle_timeout_s=30, total_timeout_s=1_000, min_bytes_per_s=1_024, rate_window_s=60
)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pace(time: Time) -> Pace:
    return Pace(LIMITS, "http://h/", time)


def test_a_receive_may_take_the_idle_time_or_what_is_left(time: Time, pace: Pace) -> None:
    assert pace.patience_s() == 30
    time.now = 990
    pace.begin()
    assert pace.patience_s() == 10


def test_all_attempts_to_connect_share_one_time(time: Time, pace: Pace) -> None:
    time.now = 5
    pace.begin()
    time.now = 12
    assert pace.connect_patience_s() == 3
    time.now = 15
    with pytest.raises(TimeoutError):
        pace.connect_patience_s()
    time.now = 998
    pace.begin()
    assert pace.connect_patience_s() == 2


def test_the_total_time_ends_everything(time: Time, pace: Pace) -> None:
    time.now = 1_000
    pace.begin()
    with pytest.raises(TooSlowError, match="longer than 1000 s"):
        pace.patience_s()


@pytest.mark.parametrize(("rate", "fast_enough"), [(1_024, True), (1_000, False)])
def test_the_mean_rate_of_each_window_counts(
    time: Time, pace: Pace, rate: int, fast_enough: bool
) -> None:
    for _ in range(59):
        time.now += 1
        pace.received(rate)
        pace.patience_s()
    time.now += 1
    pace.received(rate)

    if fast_enough:
        pace.patience_s()
    else:
        with pytest.raises(TooSlowError, match="60,000 bytes in 60 s"):
            pace.patience_s()


def test_a_fast_start_does_not_pay_for_a_slow_rest(time: Time, pace: Pace) -> None:
    pace.received(100_000_000)
    time.now = 60
    pace.patience_s()
    time.now = 120
    with pytest.raises(TooSlowError):
        pace.patience_s()
