"""Checks of a lake in a bucket: the same findings as on disk, and listings of many pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.monitoring.config import (
    DataQualityChecks,
    Drift,
    PrefixWatch,
    TableWatch,
)
from airnub_prefect_starter.core.monitoring.flow_config import FlowHealthChecks
from airnub_prefect_starter.core.monitoring.reports import (
    FlowReport,
    QualityReport,
    read_report,
)
from airnub_prefect_starter.core.monitoring.results import found_problems
from airnub_prefect_starter.core.monitoring.run_metrics import RunFacts
from airnub_prefect_starter.core.monitoring.steps import core_check_data, core_measure_flows
from airnub_prefect_starter.core.store import Store, open_store
from tests.s3_kit import S3Server

WATCHED = TableWatch(table="gold/days", key=("day",), drift=Drift(numbers=("flights",)))


@pytest.fixture
def store(s3: S3Server) -> Store:
    store = open_store(s3.url())
    days = pd.DataFrame({"day": range(100), "flights": [900 + day % 7 for day in range(100)]})
    info = WriteInfo(run=RunInfo(), inputs=f"sha256:{'0' * 64}")
    overwrite(Lake.of(store), "gold/days", days, info)
    return store


def _check(store: Store, checks: DataQualityChecks, later_h: float = 0) -> QualityReport:
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=later_h)
    result = core_check_data(
        store, checks, namespace="monitoring.data_quality", now=now, run=RunInfo()
    )
    return read_report(store, result, QualityReport)


def test_a_prefix_of_1001_objects_is_counted_whole(store: Store) -> None:
    for number in range(1_001):
        store.write_result(f"many/{number}", b"x")
    prefixes = (
        PrefixWatch(prefix="results/many/", min_objects=1_001),
        PrefixWatch(prefix="tables/silver/"),
    )

    report = _check(store, DataQualityChecks(prefixes=prefixes))

    assert [(each.subject, each.level) for each in report.results] == [
        ("results/many/", "ok"),
        ("tables/silver/", "critical"),
    ]


def test_tables_in_a_bucket_are_checked_and_scores_kept(store: Store) -> None:
    checks = DataQualityChecks(tables=(WATCHED,))

    first = _check(store, checks)
    later = _check(store, checks, later_h=30)

    assert found_problems(first.results) == []
    assert [each.check for each in found_problems(later.results)] == ["freshness"]
    assert [score for _, score in later.trend] == [first.health.score, later.health.score]


def test_runs_are_kept_in_a_bucket(store: Store) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    run = RunFacts(run_id="r", subject="ml", state="COMPLETED", started_at=now, duration_s=1.5)
    for _ in range(2):
        result = core_measure_flows(
            store,
            [run],
            FlowHealthChecks(),
            namespace="monitoring.flow_health",
            now=now,
            run=RunInfo(),
        )

    assert read_report(store, result, FlowReport).runs == (run,)
