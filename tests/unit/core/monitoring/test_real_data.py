"""The thresholds on the flights of 2013: what is known to be unusual is found, chance is not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.core.monitoring.checks import check_newest_batch, check_series
from airnub_prefect_starter.core.monitoring.config import (
    Drift,
    SeriesWatch,
    TableWatch,
    Volume,
)
from airnub_prefect_starter.core.monitoring.profiles import (
    NumberProfile,
    category_drift,
    number_drift,
)
from airnub_prefect_starter.core.monitoring.statistics import bin_edges, shares
from airnub_prefect_starter.demo.data import find_data_folder

WATCH = TableWatch(table="silver/flights", drift=Drift())


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    columns = ["month", "day", "dep_delay", "carrier"]
    return pd.read_csv(find_data_folder() / "flights.csv.zip", usecols=columns)


@pytest.fixture(scope="module")
def delays(flights: pd.DataFrame) -> np.ndarray:
    return flights["dep_delay"].dropna().to_numpy(dtype=np.float64)


@pytest.fixture(scope="module")
def reference(delays: np.ndarray) -> NumberProfile:
    edges = bin_edges(delays)
    return NumberProfile(
        edges=tuple(edges),
        shares=tuple(shares(delays, edges)),
        mean=float(delays.mean()),
        deviation=float(delays.std()),
    )


def test_fifty_random_twelfths_are_no_drift(
    flights: pd.DataFrame, delays: np.ndarray, reference: NumberProfile
) -> None:
    random = np.random.default_rng(2013)
    names = flights["carrier"].to_numpy(dtype="str")
    carriers = {name: count / len(names) for name, count in Counter(names.tolist()).items()}
    levels = set()
    for _ in range(50):
        some = random.choice(delays, len(delays) // 12)
        counts = Counter(random.choice(names, len(names) // 12).tolist())
        levels.add(number_drift(WATCH, "dep_delay", reference, some).level)
        levels.add(category_drift(WATCH, "carrier", carriers, counts).level)

    assert levels == {"ok"}


def test_delays_that_are_an_hour_longer_are_drift(
    delays: np.ndarray, reference: NumberProfile
) -> None:
    assert number_drift(WATCH, "dep_delay", reference, delays + 60).level == "critical"


def test_no_month_is_an_unusual_batch_and_half_a_month_is(flights: pd.DataFrame) -> None:
    rows = [int(count) for count in flights.groupby("month").size()]
    batches = [(f"{number:02}", count) for number, count in enumerate(rows, start=1)]

    found = [check_newest_batch("t", batches[:end], Volume()) for end in range(6, 13)]
    half = check_newest_batch("t", [*batches, ("13", rows[0] // 2)], Volume())

    assert {each.level for each in found if each} == {"ok"}
    assert half is not None
    assert half.level == "warning"


def test_thanksgiving_is_the_most_unusual_day(flights: pd.DataFrame) -> None:
    dates = zip(flights["month"], flights["day"], strict=True)
    days = Counter(f"{month:02}-{day:02}" for month, day in dates)
    points = [(day, float(days[day])) for day in sorted(days)]
    watch = SeriesWatch(name="days", table="gold/d", sql="", season=7, newest=365)

    found = {each.column: each.value or 0.0 for each in check_series(watch, points)}

    assert min(found, key=lambda day: found[day]) == "11-28"
    assert len(found) < 15
