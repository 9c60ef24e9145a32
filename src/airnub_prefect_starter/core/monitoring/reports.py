"""What monitoring found at one time, kept in the content store with its lineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import pandas as pd
from pydantic import ValidationError

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.derivation import Derivation, commit
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, merge
from airnub_prefect_starter.core.manifest_models import (
    DerivedOutput,
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.monitoring.business import Figure
from airnub_prefect_starter.core.monitoring.facts import TableFacts
from airnub_prefect_starter.core.monitoring.lineage import inputs_of
from airnub_prefect_starter.core.monitoring.results import CheckResult, Health
from airnub_prefect_starter.core.monitoring.run_metrics import RunFacts, RunSummary
from airnub_prefect_starter.core.store import Store

JSON = "application/json"
REPORT = "report"
HEALTH = "ops/health"
_TREND = 60


class TableLine(ConfigModel):
    """A table in a report."""

    table: str
    version: int
    rows: int
    batches: int
    size_bytes: int
    written_at: datetime

    @classmethod
    def of(cls, facts: TableFacts) -> TableLine:
        """Take what a report shows of a table's facts."""
        return cls(
            table=facts.table,
            version=facts.version,
            rows=facts.rows,
            batches=len(facts.batches),
            size_bytes=facts.size_bytes,
            written_at=facts.written_at,
        )


class QualityReport(ConfigModel):
    """Health of data: every check's result, the tables, and the scores of earlier runs."""

    checked_at: datetime
    health: Health
    results: tuple[CheckResult, ...]
    tables: tuple[TableLine, ...]
    trend: tuple[tuple[datetime, int], ...] = ()


class FlowReport(ConfigModel):
    """Health of runs: summaries by subject, checks, the runs themselves, and business figures."""

    checked_at: datetime
    summaries: tuple[RunSummary, ...]
    results: tuple[CheckResult, ...]
    runs: tuple[RunFacts, ...]
    figures: tuple[Figure, ...] = ()


Report = TypeVar("Report", QualityReport, FlowReport)


def keep_report(
    store: Store,
    namespace: str,
    report: QualityReport | FlowReport,
    refs: Iterable[str | None],
    run: RunInfo,
) -> DerivedResult:
    """Store a report under ``<namespace>/report``, made of what some refs point to now.

    Raises:
        StoreError: It cannot be written.
    """
    parameters = {"checked_at": rfc3339(report.checked_at)}
    derivation = Derivation(namespace, REPORT, inputs_of(store, refs), parameters)
    blob, _ = store.put_bytes(report.model_dump_json().encode(), media_type=JSON)
    return commit(store, derivation, [DerivedOutput(name="report.json", blob=blob)], run=run)


def read_report(store: Store, result: DerivedResult, model: type[Report]) -> Report:
    """Read back a report that a run stored.

    Raises:
        CorruptObjectError: It is no such report. No retry.
        StoreError: It cannot be read.
    """
    digest = result.outputs[0].blob.digest
    try:
        return model.model_validate_json(store.read_blob(digest))
    except ValidationError as error:
        raise CorruptObjectError(f"{digest} is no {model.__name__}", "Run it again") from error


def keep_health(
    lake: Lake, checked_at: datetime, health: Health, info: WriteInfo
) -> tuple[tuple[datetime, int], ...]:
    """Add a score to the history, and give its newest 60, oldest first.

    Raises:
        TableConflictError: Another writer was first. A retry helps.
        StoreError: The table cannot be read or written.
    """
    row: Mapping[str, Sequence[object]] = {
        "checked_at": [checked_at],
        "score": [health.score],
        "status": [health.status],
        "checks": [health.checks],
        "warnings": [health.warnings],
        "criticals": [health.criticals],
    }
    frame = pd.DataFrame(row).astype({"checked_at": "datetime64[us, UTC]"})
    merge(lake, HEALTH, frame, info, key=["checked_at"])
    newest = lake.query(
        f"SELECT checked_at, score FROM t ORDER BY checked_at DESC LIMIT {_TREND}",  # noqa: S608
        {"t": HEALTH},
    )
    points = [
        (pd.Timestamp(at).to_pydatetime(), int(score))
        for at, score in zip(newest["checked_at"], newest["score"], strict=True)
    ]
    return tuple(reversed(points))
