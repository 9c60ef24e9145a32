"""Checks of numbers: where each begins to warn, and when it is critical."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airnub_prefect_starter.core.monitoring.checks import (
    check_duplicates,
    check_freshness,
    check_newest_batch,
    check_nulls,
    check_prefix,
    check_rows,
    check_schema,
    check_series,
    unusual,
)
from airnub_prefect_starter.core.monitoring.config import (
    Freshness,
    PrefixWatch,
    SeriesWatch,
    Volume,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Flights of 2013 by month.
MONTHS = (27004, 24951, 28834, 28330, 28796, 28243, 29425, 29327, 27574, 28889, 27268, 28135)


@pytest.mark.parametrize(
    ("hours", "level"),
    [
        (0, "ok"),
        (24, "ok"),
        (24.1, "warning"),
        (48, "warning"),
        (48.1, "critical"),
        (-2, "warning"),
    ],
)
def test_age_has_two_limits(hours: float, level: str) -> None:
    found = check_freshness("t", NOW - timedelta(hours=hours), NOW, Freshness())

    assert found.level == level
    assert found.value == pytest.approx(hours)


def test_age_does_not_depend_on_the_zone_in_which_a_time_is_written() -> None:
    tokyo = timezone(timedelta(hours=9))
    written = (NOW - timedelta(hours=1)).astimezone(tokyo)

    assert check_freshness("t", written, NOW, Freshness()).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "level"), [(0, "critical"), (9, "warning"), (10, "ok"), (20, "ok"), (21, "warning")]
)
def test_rows_have_a_range(rows: int, level: str) -> None:
    assert check_rows("t", rows, Volume(min_rows=10, max_rows=20)).level == level


def test_no_month_of_the_year_is_an_unusual_batch() -> None:
    batches = [(f"{number:02}", rows) for number, rows in enumerate(MONTHS, start=1)]

    levels = [check_newest_batch("t", batches[:end], Volume()) for end in range(1, 13)]

    assert [each.level for each in levels if each] == ["ok"] * 7
    assert levels[:5] == [None] * 5


@pytest.mark.parametrize("rows", [3_000, 60_000])
def test_a_batch_much_smaller_or_larger_than_the_others_is_unusual(rows: int) -> None:
    batches = [(f"{number:02}", each) for number, each in enumerate((*MONTHS, rows), start=1)]

    found = check_newest_batch("t", batches, Volume())

    assert found is not None
    assert (found.level, found.column) == ("warning", "13")


def test_each_column_with_too_many_nulls_is_named_with_its_worst_batch() -> None:
    shares = {"a": (0.2, "1"), "b": (0.21, "2"), "gust": (0.8, "1"), "c": (1.0, "3")}

    found = check_nulls("t", shares, 0.2, {"gust": 0.9})

    assert [(each.column, each.level) for each in found] == [("b", "warning"), ("c", "critical")]
    assert "in 2" in found[0].message


def test_nulls_within_their_limits_are_one_result() -> None:
    assert [each.level for each in check_nulls("t", {"a": (0.1, "1")}, 0.2, {})] == ["ok"]


@pytest.mark.parametrize(("keys", "level"), [(100, "ok"), (90, "ok"), (89, "warning")])
def test_duplicates_are_counted_by_key(keys: int, level: str) -> None:
    assert check_duplicates("t", ["id"], 100, keys, 0.1).level == level


@pytest.mark.parametrize(
    ("columns", "level"),
    [
        ({"a": "long"}, "ok"),
        ({"a": "long", "b": "string"}, "warning"),
        ({"b": "long"}, "critical"),
        ({"a": "string"}, "critical"),
    ],
)
def test_a_schema_may_grow_and_not_shrink(columns: dict[str, str], level: str) -> None:
    assert check_schema("t", columns, {"a": "long"}).level == level


@pytest.mark.parametrize(
    ("objects", "megabytes", "level"),
    [(0, 0, "critical"), (1, 0.5, "warning"), (2, 1, "ok"), (2, 11, "warning"), (1, 1, "warning")],
)
def test_a_prefix_has_ranges_and_must_not_be_empty(
    objects: int, megabytes: float, level: str
) -> None:
    watch = PrefixWatch(prefix="tables/", min_objects=2, min_mb=1, max_mb=10)

    assert check_prefix(watch, objects, round(megabytes * 1e6)).level == level


def _week(of: float = 1000, saturday: float = 700) -> list[float]:
    return [of, of, of, of, of, saturday, 900]


def test_a_season_makes_saturdays_like_saturdays() -> None:
    values = [value for _ in range(9) for value in _week()]
    values[-6] = 634  # a Tuesday like no other
    points = [(str(day), value) for day, value in enumerate(values)]
    watch = SeriesWatch(name="s", table="gold/t", sql="", season=7, newest=7)

    found = check_series(watch, points)

    assert [each.column for each in found] == [str(len(values) - 6)]
    ((at, z),) = unusual(watch, points)
    assert at == len(values) - 6
    assert z == pytest.approx(-7.32)


def test_an_outlier_that_is_old_is_not_reported_again() -> None:
    values = [value for _ in range(9) for value in _week()]
    values[-20] = 100
    watch = SeriesWatch(name="s", table="gold/t", sql="", season=7, newest=7)

    found = check_series(watch, [(str(day), value) for day, value in enumerate(values)])

    assert [each.level for each in found] == ["ok"]
