"""Drift: none in a random part of the same data, and found where the data is another."""

from __future__ import annotations

import numpy as np
import pytest

from airnub_prefect_starter.core.monitoring.config import Drift, TableWatch
from airnub_prefect_starter.core.monitoring.profiles import (
    NumberProfile,
    category_drift,
    number_drift,
)
from airnub_prefect_starter.core.monitoring.statistics import bin_edges, psi, robust_z, shares

WATCH = TableWatch(table="silver/t", drift=Drift(numbers=("x",)))


def _profile(values: np.ndarray) -> NumberProfile:
    edges = bin_edges(values)
    return NumberProfile(
        edges=tuple(edges),
        shares=tuple(shares(values, edges)),
        mean=float(values.mean()),
        deviation=float(values.std()),
    )


def test_random_twelfths_of_delays_are_no_drift() -> None:
    random = np.random.default_rng(7)
    # As departure delays are: whole minutes, most a little early, a long tail.
    delays = np.round(random.normal(-3, 5, 30_000) + random.exponential(15, 30_000))
    profile = _profile(delays)

    levels = {
        number_drift(WATCH, "x", profile, random.choice(delays, 2_500)).level for _ in range(50)
    }

    assert levels == {"ok"}


def test_lumpy_numbers_share_bins() -> None:
    values = np.array([0.0] * 80 + [1.0] * 15 + [2.0] * 5)
    profile = _profile(values)

    assert sum(profile.shares) == pytest.approx(1)
    assert number_drift(WATCH, "x", profile, values).value == 0


@pytest.mark.parametrize(("shift", "level"), [(0.0, "ok"), (0.4, "warning"), (1.5, "critical")])
def test_a_shifted_mean_is_drift_with_its_size(shift: float, level: str) -> None:
    values = np.random.default_rng(3).normal(0, 1, 20_000)

    found = number_drift(WATCH, "x", _profile(values), values + shift)

    assert found.level == level
    assert f" {shift:+.4g}, " in found.message


def test_numbers_that_are_gone_are_critical() -> None:
    profile = _profile(np.arange(100.0))

    assert number_drift(WATCH, "x", profile, np.array([])).level == "critical"


@pytest.mark.parametrize(
    ("counts", "level"),
    [
        ({"a": 50, "b": 50}, "ok"),
        ({"a": 65, "b": 35}, "ok"),
        ({"a": 67, "b": 33}, "warning"),
        ({"a": 90, "b": 10}, "critical"),
        ({"a": 45, "b": 45, "new": 10}, "critical"),
        ({}, "critical"),
    ],
)
def test_shares_of_categories_may_move_a_little(counts: dict[str, int], level: str) -> None:
    assert category_drift(WATCH, "x", {"a": 0.5, "b": 0.5, "(others)": 0.0}, counts).level == level


def test_the_index_is_that_of_the_formula() -> None:
    expected, actual = [0.5, 0.5], [0.6, 0.4]

    assert psi(expected, actual) == pytest.approx(0.1 * np.log(1.2) - 0.1 * np.log(0.8))


@pytest.mark.parametrize(
    ("value", "history", "z"),
    [
        (10, [10, 10, 10], 0),
        (11, [10, 10, 10], 2),  # 5 % of the median is the least scale
        (5, [0, 0, 0], float("inf")),
        (0, [0, 0, 0], 0),
        (100, [10, 20, 30, 40, 50], pytest.approx(70 / 14.826)),
    ],
)
def test_robust_z(value: float, history: list[float], z: float) -> None:
    assert robust_z(value, history) == z
