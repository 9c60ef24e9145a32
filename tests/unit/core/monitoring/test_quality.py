"""Checks of a real lake: a sound one has no findings, and each defect is found as itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.manifest_models import (
    DerivedResult,
    RunReport,
)
from airnub_prefect_starter.core.monitoring.config import (
    DataQualityChecks,
    Drift,
    Freshness,
    PrefixWatch,
    SeriesWatch,
    SourceWatch,
    TableWatch,
    Volume,
)
from airnub_prefect_starter.core.monitoring.facts import table_facts
from airnub_prefect_starter.core.monitoring.quality import Inspector
from airnub_prefect_starter.core.monitoring.results import CheckResult, found_problems
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.layout import Key
from tests.unit.core.monitoring.conftest import Write

NAMESPACE = "monitoring.data_quality"
ROWS = 200


def _batch(number: int, **changed: object) -> dict[str, object]:
    random = np.random.default_rng(number)
    start = number * ROWS
    return {
        "id": range(start, start + ROWS),
        "delay": random.normal(10, 20, ROWS).round(1),
        "carrier": random.choice(["AA", "UA", "DL"], ROWS),
        **changed,
    }


@pytest.fixture
def flights(write: Write) -> Write:
    for number in range(6):
        write("silver/flights", _batch(number), f"2013-{number + 1:02}")
    return write


WATCH = TableWatch(
    table="silver/flights",
    ref="processing.lake_etl/silver.flights",
    key=("id",),
    batches="_batch",
    max_duplicates=0,
    volume=Volume(min_rows=100, max_rows=10_000),
    drift=Drift(numbers=("delay",), categories=("carrier",)),
)

Check = Callable[..., list[tuple[str, str, str]]]


@pytest.fixture
def check(content_store: Store, now: datetime) -> Check:
    """Run checks and give level, check and column of what is wrong."""

    def run(*watches: TableWatch, later_h: float = 0) -> list[tuple[str, str, str]]:
        inspector = Inspector(content_store, NAMESPACE, now + timedelta(hours=later_h))
        found = inspector.inspect(DataQualityChecks(tables=watches or (WATCH,)))
        return [(each.level, each.check, each.column) for each in found_problems(found.results)]

    return run


def test_a_sound_table_has_no_findings(flights: Write, check: Check) -> None:
    assert check() == []
    assert check() == []  # against the reference that the first one made


def test_an_absent_table_is_critical(check: Check) -> None:
    assert check() == [("critical", "presence", "")]


@pytest.mark.parametrize(
    ("number", "changed", "expected"),
    [
        pytest.param(
            6, {"delay": [None] * 150 + [1.0] * 50}, ("warning", "nulls", "delay"), id="null burst"
        ),
        pytest.param(0, {}, ("warning", "duplicates", "id"), id="the rows of another batch"),
        pytest.param(
            6, {"carrier": ["AA"] * ROWS}, ("critical", "drift", "carrier"), id="one carrier"
        ),
        pytest.param(
            6, {"delay": [60.0] * ROWS}, ("critical", "drift", "delay"), id="other numbers"
        ),
        pytest.param(6, {"extra": "x"}, ("warning", "schema", ""), id="a new column"),
    ],
)
def test_a_bad_batch_is_found(
    flights: Write,
    check: Check,
    number: int,
    changed: dict[str, object],
    expected: tuple[str, str, str],
) -> None:
    check()
    flights("silver/flights", _batch(number, **changed), "2013-07")

    assert expected in check()


@pytest.mark.parametrize("rows", [10, 2_000])
def test_a_batch_of_unusual_size_is_found(flights: Write, check: Check, rows: int) -> None:
    flights("silver/flights", {"id": range(10_000, 10_000 + rows), "delay": 1.0}, "2013-07")
    watch = WATCH.model_copy(update={"drift": Drift(), "nulls": {"carrier": 1.0}})

    assert check(watch) == [("warning", "volume", "2013-07")]


def test_a_lost_column_is_critical(write: Write, check: Check) -> None:
    watch = TableWatch(table="silver/planes", drift=Drift(numbers=("seats",)))
    write("silver/planes", {"tailnum": ["N1", "N2"], "seats": [100, 200]})
    assert check(watch) == []
    write("silver/planes", {"tailnum": ["N1", "N2"]})

    assert check(watch) == [("critical", "schema", "")]


def test_a_damaged_table_is_a_finding_and_the_others_are_checked(
    write: Write, check: Check, content_store: Store
) -> None:
    write("silver/bad", {"id": [1, 2]})
    write("silver/good", {"id": [1, 2]})
    folder = content_store.backend.local_path(Key("tables"))
    assert folder is not None
    for file in folder.glob("silver/bad/*.parquet"):
        file.write_bytes(file.read_bytes()[:100])
    bad, good = (TableWatch(table=f"silver/{name}", key=("id",)) for name in ("bad", "good"))

    assert check(bad, good) == [("critical", "reading", "")]
    assert check(good) == []


def test_a_raised_reference_accepts_the_table_as_it_is(flights: Write, check: Check) -> None:
    check()
    flights("silver/flights", _batch(6, carrier="ZZ", extra="x"), "2013-07")
    assert check() != []
    accepted = WATCH.model_copy(
        update={"reference": "2", "drift": Drift(), "nulls": {"extra": 1.0}}
    )

    assert check(accepted) == []


@pytest.mark.parametrize(("later_h", "level"), [(23, None), (25, "warning"), (49, "critical")])
def test_an_old_table_is_stale(
    flights: Write, check: Check, later_h: float, level: str | None
) -> None:
    assert check(later_h=later_h) == ([(level, "freshness", "")] if level else [])


def test_a_run_that_left_a_table_unchanged_keeps_it_fresh(
    flights: Write, check: Check, content_store: Store, now: datetime
) -> None:
    at = now + timedelta(hours=40)
    unchanged = DerivedResult(
        namespace="processing.lake_etl",
        source_id="silver.flights",
        outcome="not_modified",
        manifest=f"sha256:{'1' * 64}",
        outputs=(),
    )
    report = RunReport(run_id="r", flow="f", started_at=at, finished_at=at, derived=(unchanged,))
    content_store.write_report(report)

    assert check(later_h=50) == []


def test_upkeep_of_a_table_does_not_make_it_fresh(flights: Write, check: Check, lake: Lake) -> None:
    before = lake.open("silver/flights").version()
    lake.open("silver/flights").optimize.compact()
    lake.open("silver/flights").optimize.z_order(["id"])
    assert lake.open("silver/flights").version() > before

    assert check(later_h=25) == [("warning", "freshness", "")]


def _inspect(store: Store, now: datetime, checks: DataQualityChecks) -> list[CheckResult]:
    return list(Inspector(store, NAMESPACE, now).inspect(checks).results)


def test_a_prefix_of_more_objects_than_one_page_is_counted_whole(
    content_store: Store, now: datetime
) -> None:
    for number in range(1_001):
        content_store.write_result(f"many/{number}", b"x")
    watch = PrefixWatch(prefix="results/many/", min_objects=1_001)

    found = _inspect(content_store, now, DataQualityChecks(prefixes=(watch,)))

    assert [(each.level, each.message[:13]) for each in found] == [("ok", "1,001 objects")]


def test_an_empty_prefix_is_critical(content_store: Store, now: datetime) -> None:
    checks = DataQualityChecks(prefixes=(PrefixWatch(prefix="tables/gold/"),))

    assert [each.level for each in _inspect(content_store, now, checks)] == ["critical"]


def test_sources_are_as_old_as_their_last_fetch(
    content_store: Store, put_source: Callable[..., object], now: datetime
) -> None:
    put_source("ingestion.files/a", b"1")  # the store's clock says 2026-01-31T12:00:00Z
    checks = DataQualityChecks(
        sources=(SourceWatch(namespace="ingestion.files", freshness=Freshness()),)
    )
    fetched = datetime.fromisoformat("2026-01-31T12:00:00+00:00")

    levels = [
        _inspect(content_store, fetched + timedelta(hours=hours), checks)[0].level
        for hours in (1, 30, 60)
    ]

    assert levels == ["ok", "warning", "critical"]


def test_a_category_that_never_fetched_is_critical(content_store: Store, now: datetime) -> None:
    checks = DataQualityChecks(sources=(SourceWatch(namespace="ingestion.files"),))

    assert [each.level for each in _inspect(content_store, now, checks)] == ["critical"]


def test_a_series_is_read_by_sql(write: Write, content_store: Store, now: datetime) -> None:
    write("gold/days", {"day": range(9), "flights": [900, 910, 905, 890, 915, 900, 908, 903, 634]})
    sql = "SELECT day AS label, flights AS value FROM t ORDER BY day"
    watch = SeriesWatch(name="flights per day", table="gold/days", sql=sql)

    found = _inspect(content_store, now, DataQualityChecks(series=(watch,)))

    assert [(each.level, each.column) for each in found] == [("warning", "8")]


@pytest.mark.parametrize(
    "sql", ["SELECT day AS label FROM t", "SELECT day AS label, 'many' AS value FROM t"]
)
def test_sql_without_numbers_hides_no_other_finding(
    write: Write, content_store: Store, now: datetime, sql: str
) -> None:
    write("gold/days", {"day": range(9)})
    watches = [SeriesWatch(name=name, table="gold/days", sql=sql) for name in ("a", "b")]

    found = _inspect(content_store, now, DataQualityChecks(series=tuple(watches)))

    assert [(each.check, each.level) for each in found] == [("reading", "critical")] * 2
    assert "columns label and value" in found[0].message


def test_ages_are_the_same_wherever_the_machine_is(
    flights: Write, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = set()
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        times.add(table_facts("t", lake.open("silver/flights")).written_at)
    monkeypatch.undo()
    time.tzset()

    assert len(times) == 1
    assert abs(times.pop() - datetime.now(UTC)) < timedelta(hours=1)
