"""Figures of the business: numbers, series and rankings, and a mistake that hides no other."""

from __future__ import annotations

import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.monitoring.business import figures
from airnub_prefect_starter.core.monitoring.flow_config import BusinessMetric
from tests.unit.core.monitoring.conftest import Write

SERIES = "SELECT day AS label, flights AS value FROM t ORDER BY day"


def _metric(kind: str, sql: str, table: str = "gold/days") -> BusinessMetric:
    return BusinessMetric.model_validate({"name": kind, "table": table, "kind": kind, "sql": sql})


@pytest.fixture
def days(write: Write) -> None:
    write("gold/days", {"day": range(9), "flights": [900, 910, 905, 890, 915, 900, 908, 903, 634]})


def test_each_kind_has_its_values(days: None, lake: Lake) -> None:
    found, wrong = figures(
        lake,
        [
            _metric("number", "SELECT sum(flights) AS value FROM t"),
            _metric("series", SERIES),
            _metric("ranking", SERIES.replace("BY day", "BY flights DESC LIMIT 2")),
            _metric("number", "SELECT 1 AS value FROM t", table="gold/later"),
        ],
    )

    assert not wrong
    number, series, ranking = found
    assert [*number.values] == [7865]
    assert (series.labels[0], series.values[-1], series.outliers) == ("0", 634, (8,))
    assert (ranking.labels, ranking.values) == (("4", "1"), (915, 910))


@pytest.mark.parametrize("sql", ["SELECT nothing FROM t", "SELECT day AS label FROM t"])
def test_sql_that_is_wrong_is_critical_and_hides_no_other(days: None, lake: Lake, sql: str) -> None:
    found, wrong = figures(lake, [_metric("ranking", sql), _metric("series", SERIES)])

    assert [each.name for each in found] == ["series"]
    assert [(each.check, each.subject, each.level) for each in wrong] == [
        ("reading", "ranking", "critical")
    ]
