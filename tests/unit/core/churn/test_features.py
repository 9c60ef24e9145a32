from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from airnub_prefect_starter.core.churn.columns import INTERNET_SERVICES
from airnub_prefect_starter.core.churn.features import (
    ENGINEERED,
    ChurnFeatures,
    add_churn_features,
)


def _rows(**columns: list[object]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    default: dict[str, object] = {
        "tenure": 10,
        "MonthlyCharges": 50.0,
        "TotalCharges": 500.0,
        **dict.fromkeys(INTERNET_SERVICES, "No"),
    }
    whole = {name: [value] * count for name, value in default.items()} | columns
    return pd.DataFrame(whole)


def _one(name: str, **columns: list[object]) -> list[object]:
    return add_churn_features(_rows(**columns), ChurnFeatures())[name].tolist()


def test_the_ratio_of_one_who_was_never_billed_is_that_of_the_first_month() -> None:
    found = _one("charge_ratio", tenure=[0, 1, 10], TotalCharges=[0.0, 50.0, 500.0])

    assert found == [1.0, 1.0, 0.1]


def test_services_are_counted_and_having_no_internet_is_none() -> None:
    columns: dict[str, list[object]] = {
        name: ["Yes", "No", "No internet service"] for name in INTERNET_SERVICES
    }
    columns["TechSupport"] = ["No", "Yes", "No internet service"]

    assert _one("num_optional_services", **columns) == [5, 1, 0]


def test_the_interaction_is_in_months_times_dollars() -> None:
    assert _one("tenure_charge_interaction", tenure=[0, 2], MonthlyCharges=[20.0, 20.5]) == [0, 41]


@pytest.mark.parametrize(
    ("tenure", "group"),
    [(0, "0-12"), (12, "0-12"), (13, "13-24"), (24, "13-24"), (48, "25-48"), (49, "49+")],
)
def test_an_edge_is_the_last_month_of_its_group(tenure: int, group: str) -> None:
    assert _one("tenure_group", tenure=[tenure]) == [group]


@pytest.mark.parametrize(
    ("tenure", "monthly", "high"), [(55, 100.0, 0), (56, 89.85, 0), (56, 89.9, 1), (20, 118.0, 0)]
)
def test_a_customer_is_of_high_value_above_both_thresholds(
    tenure: int, monthly: float, high: int
) -> None:
    assert _one("is_high_value", tenure=[tenure], MonthlyCharges=[monthly]) == [high]


def test_other_thresholds_count_where_they_are_configured() -> None:
    options = ChurnFeatures(
        tenure_edges_months=(6,),
        high_value_tenure_months=5,
        high_value_monthly_charges=Decimal("49.5"),
    )
    found = add_churn_features(_rows(tenure=[6, 7]), options)

    assert found["tenure_group"].tolist() == ["0-6", "7+"]
    assert found["is_high_value"].tolist() == [1, 1]


def test_a_feature_does_not_depend_on_the_other_rows() -> None:
    rows = _rows(
        tenure=[0, 3, 60], TotalCharges=[0.0, 150.0, 5400.5], MonthlyCharges=[20.0, 50.0, 90.0]
    )
    together = add_churn_features(rows, ChurnFeatures())
    alone = pd.concat(
        add_churn_features(rows.iloc[[place]], ChurnFeatures()) for place in range(len(rows))
    )

    pd.testing.assert_frame_equal(together, alone)


def test_nothing_is_missing_or_infinite_in_types_with_missing_values_too() -> None:
    rows = _rows(tenure=[0, 72], TotalCharges=[0.0, 8684.8]).astype(
        {"tenure": "Int64", "MonthlyCharges": "float64"}
    )
    found = add_churn_features(rows, ChurnFeatures())[[*ENGINEERED]]

    assert not found.isna().to_numpy().any()
    assert np.isfinite(found.drop(columns="tenure_group").to_numpy(dtype=np.float64)).all()


@pytest.mark.parametrize("edges", [(), (12, 12), (24, 12), (0, 12)])
def test_edges_must_rise(edges: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        ChurnFeatures(tenure_edges_months=edges)
