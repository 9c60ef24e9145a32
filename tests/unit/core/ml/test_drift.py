"""Drift of a batch: none in random parts of a table, and found where the batch is another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.ml.drift import SCORE, find_drift, find_score_drift
from airnub_prefect_starter.core.ml.inference_steps import DriftLimits
from airnub_prefect_starter.core.monitoring.profiles import (
    Profile,
    category_profile,
    number_profile,
)
from airnub_prefect_starter.core.monitoring.results import CheckResult
from tests.churn_kit import REAL_TABLE, needs_real_table

LIMITS = DriftLimits()
NUMBERS = ("tenure", "MonthlyCharges", "TotalCharges")


def _profile(frame: pd.DataFrame) -> Profile:
    numbers = [name for name in NUMBERS if name in frame]
    others = [name for name in frame if name not in {*numbers, "customerID"}]
    return Profile(
        table="features/customer",
        reference="release 1",
        columns={},
        numbers={name: number_profile(frame[name].to_numpy(dtype=float)) for name in numbers},
        categories={
            name: category_profile({str(k): int(n) for k, n in frame[name].value_counts().items()})
            for name in others
        },
    )


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "tenure": random.integers(0, 73, 7000),
            "MonthlyCharges": np.round(random.choice([20, 45, 70, 90], 7000) + random.random(7000)),
            "Contract": random.choice(
                ["monthly", "one year", "two years"], 7000, p=[0.5, 0.2, 0.3]
            ),
        }
    )


def _of(found: list[CheckResult], column: str, check: str = "drift") -> CheckResult:
    return next(each for each in found if (each.column, each.check) == (column, check))


def test_a_random_part_has_not_drifted(customers: pd.DataFrame) -> None:
    part = customers.sample(600, random_state=1)

    found = find_drift(_profile(customers.drop(part.index)), part, LIMITS)

    assert {each.level for each in found} == {"ok"}
    assert {(each.check, each.column) for each in found} == {
        ("drift", "tenure"),
        ("drift", "MonthlyCharges"),
        ("drift", "Contract"),
        ("unknown", "Contract"),
    }


def test_a_missing_category_is_critical_and_named(customers: pd.DataFrame) -> None:
    batch = customers[customers["Contract"] != "two years"]

    found = _of(find_drift(_profile(customers), batch, LIMITS), "Contract")

    assert found.level == "critical"
    assert "two years 31.3% → 0.0%" in found.message


def test_a_rise_in_prices_is_told_with_its_size(customers: pd.DataFrame) -> None:
    batch = customers.assign(MonthlyCharges=customers["MonthlyCharges"] * 1.1)

    found = _of(find_drift(_profile(customers), batch, LIMITS), "MonthlyCharges")

    assert found.level == "critical"
    assert "standard deviations" in found.message


@pytest.mark.parametrize(("strange", "level"), [(0, "ok"), (1, "warning"), (100, "critical")])
def test_unknown_categories_are_counted_and_named(
    customers: pd.DataFrame, strange: int, level: str
) -> None:
    batch = customers.copy()
    batch.loc[: strange - 1, "Contract"] = "for ever"

    found = _of(find_drift(_profile(customers), batch, LIMITS), "Contract", "unknown")

    assert (found.level, found.value) == (level, round(strange / 7000, 4))
    assert ("'for ever'" in found.message) == bool(strange)


def test_missing_values_are_a_category_of_their_own(customers: pd.DataFrame) -> None:
    batch = customers.copy()
    batch.loc[:99, "Contract"] = None

    assert (
        "'(null)'"
        in _of(find_drift(_profile(customers), batch, LIMITS), "Contract", "unknown").message
    )


@pytest.mark.parametrize(
    ("batch", "named"),
    [
        (pd.DataFrame({"tenure": [1]}), "lack Contract, MonthlyCharges"),
        (pd.DataFrame({"tenure": [], "MonthlyCharges": [], "Contract": []}), "There is no row"),
    ],
)
def test_a_batch_without_columns_or_rows_is_refused(
    customers: pd.DataFrame, batch: pd.DataFrame, named: str
) -> None:
    with pytest.raises(PayloadError, match=named):
        find_drift(_profile(customers), batch, LIMITS)


@pytest.mark.parametrize(("shift", "level"), [(0.0, "ok"), (0.3, "critical")])
def test_scores_drift_too(customers: pd.DataFrame, shift: float, level: str) -> None:
    random = np.random.default_rng(2)
    scores = random.beta(1, 3, 5000)

    found = find_score_drift(
        _profile(customers), scores, np.minimum(1, random.beta(1, 3, 600) + shift), LIMITS
    )

    assert (found.column, found.level) == (SCORE, level)


@pytest.fixture(scope="module")
def telco() -> pd.DataFrame:
    frame = pd.read_csv(str(REAL_TABLE))
    return frame.assign(
        TotalCharges=pd.to_numeric(frame["TotalCharges"], errors="coerce").fillna(0.0)
    )


@needs_real_table
def test_no_random_twelfth_of_the_real_table_has_drifted(telco: pd.DataFrame) -> None:
    worst = []
    for seed in range(50):
        part = telco.sample(587, random_state=seed)
        found = find_drift(_profile(telco.drop(part.index)), part, LIMITS)
        worst.append(max(each.value or 0 for each in found if each.check == "drift"))

    assert max(worst) < 0.1
    assert np.median(worst) == pytest.approx(0.023, abs=0.01)


@needs_real_table
def test_the_real_table_without_two_year_contracts_has_drifted(telco: pd.DataFrame) -> None:
    rest = telco[telco["Contract"] != "Two year"].sample(587, random_state=0)

    found = find_drift(_profile(telco), rest, LIMITS)

    assert _of(found, "Contract").value == pytest.approx(1.9, abs=0.1)
    assert _of(found, "tenure").level in {"warning", "critical"}
