"""The two measurements that a monitoring run makes: of data, and of runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from airnub_prefect_starter.common.utils import generate_sha256_hash
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo
from airnub_prefect_starter.core.manifest_models import DerivedResult, RunInfo
from airnub_prefect_starter.core.monitoring.business import figures
from airnub_prefect_starter.core.monitoring.config import DataQualityChecks
from airnub_prefect_starter.core.monitoring.evidence import recent_reports
from airnub_prefect_starter.core.monitoring.flow_config import FlowHealthChecks
from airnub_prefect_starter.core.monitoring.quality import Inspector
from airnub_prefect_starter.core.monitoring.reports import (
    FlowReport,
    QualityReport,
    TableLine,
    keep_health,
    keep_report,
)
from airnub_prefect_starter.core.monitoring.results import health
from airnub_prefect_starter.core.monitoring.run_metrics import (
    RunFacts,
    check_runs,
    keep_runs,
    read_runs,
    summarize,
    with_reports,
)
from airnub_prefect_starter.core.store import Store


def core_check_data(
    store: Store, checks: DataQualityChecks, *, namespace: str, now: datetime, run: RunInfo
) -> DerivedResult:
    """Run all checks of data and store the report, with the score added to its history.

    Raises:
        StoreError: The store does not answer, or the history cannot be written; retry where it is
            transient.
    """
    found = Inspector(store, namespace, now).inspect(checks)
    verdict = health(found.results, checks.score)
    lake = Lake.of(store)
    trend = keep_health(lake, now, verdict, write_info(run, verdict.model_dump_json()))
    report = QualityReport(
        checked_at=now,
        health=verdict,
        results=found.results,
        tables=tuple(TableLine.of(facts) for facts in found.tables),
        trend=trend,
    )
    return keep_report(store, namespace, report, [watch.ref for watch in checks.tables], run)


def core_measure_flows(
    store: Store,
    runs: Iterable[RunFacts],
    checks: FlowHealthChecks,
    *,
    namespace: str,
    now: datetime,
    run: RunInfo,
) -> DerivedResult:
    """Add ended runs to their history, measure and check it, and store the report.

    Args:
        store: The department's.
        runs: As Prefect knows them; what the store's reports say is added.
        checks: How far back to look, from when on a run counts as worse, figures to compute.
        namespace: Of the report's ref.
        now: The time, aware.
        run: The run that measures.

    Raises:
        StoreError: The store or a table cannot be read or written; retry where it is transient.
    """
    span, lake = timedelta(days=checks.days), Lake.of(store)
    known = with_reports(runs, recent_reports(store, now, span))
    keep_runs(lake, known, write_info(run, "".join(sorted(each.run_id for each in known))))
    history = read_runs(lake, now - span)
    found, wrong = figures(lake, checks.business)
    report = FlowReport(
        checked_at=now,
        summaries=tuple(summarize(history)),
        results=(*check_runs(history, checks.runs), *wrong),
        runs=tuple(history),
        figures=tuple(found),
    )
    return keep_report(store, namespace, report, [], run)


def write_info(run: RunInfo, content: str) -> WriteInfo:
    """Say in a commit's metadata which run wrote, and the digest of what the rows were made of."""
    return WriteInfo(run=run, inputs=f"sha256:{generate_sha256_hash(content.encode())}")
