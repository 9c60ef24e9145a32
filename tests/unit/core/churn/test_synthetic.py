"""The made-up table: the same everywhere, by the rules of the real one, with as many who leave."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from airnub_prefect_starter.core.churn.columns import SPLITS, TARGET
from airnub_prefect_starter.core.churn.preparation import churn_by_segment, prepare
from airnub_prefect_starter.core.churn.sources import read_columns
from airnub_prefect_starter.core.churn.synthetic import COUNT, customers_csv
from airnub_prefect_starter.core.churn.validation import validate


@pytest.fixture(scope="module")
def raw() -> bytes:
    return customers_csv()


@pytest.fixture(scope="module")
def parts(raw: bytes) -> dict[str, pd.DataFrame]:
    return {name: read_columns(raw, columns, name) for name, columns in SPLITS.items()}


def test_its_bytes_are_the_same_on_every_machine(raw: bytes) -> None:
    assert (
        hashlib.sha256(raw).hexdigest()
        == "13888bbe9430b42ec95e2913db31e069f32f81f8915b8c7f7ce08659ed4c8506"
    )


def test_it_breaks_no_rule(parts: dict[str, pd.DataFrame]) -> None:
    found = validate(parts, drop_identical_sources=True)

    assert found.findings == ()
    assert [each.rows for each in found.sources] == [COUNT] * 3


def test_as_many_leave_as_of_the_real_table(parts: dict[str, pd.DataFrame]) -> None:
    table = prepare(parts)

    assert 0.25 < (table[TARGET] == "Yes").mean() < 0.28
    assert int((table["tenure"] == 0).sum()) > 0
    by_contract = churn_by_segment(table, "Contract")
    assert list(by_contract["Contract"]) == ["Month-to-month", "One year", "Two year"]


def test_fewer_customers_are_the_first_of_many(raw: bytes) -> None:
    assert raw.startswith(customers_csv(count=50))
    assert customers_csv(count=50, seed=43) != customers_csv(count=50)
