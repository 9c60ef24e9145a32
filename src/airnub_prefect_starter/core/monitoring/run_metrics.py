"""How runs fare: duration, success, waiting, volume, CPU and memory; and what got worse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import MergeCounts, WriteInfo, merge
from airnub_prefect_starter.core.manifest_models import RunReport
from airnub_prefect_starter.core.monitoring.flow_config import RunLimits
from airnub_prefect_starter.core.monitoring.results import CheckResult, Level
from airnub_prefect_starter.core.monitoring.statistics import MIN_HISTORY, robust_z

FLOW_RUNS = "ops/flow_runs"
_BROKEN = ("FAILED", "CRASHED")
_TYPES = {
    "run_id": "string",
    "subject": "string",
    "state": "string",
    "started_at": "datetime64[us, UTC]",
    "duration_s": "float64",
    "queue_s": "float64",
    "attempts": "Int64",
    "rows": "Int64",
    "bytes_read": "Int64",
    "cpu_s": "Float64",
    "cpu_limit_cores": "Float64",
    "throttled_s": "Float64",
    "peak_memory_bytes": "Int64",
    "memory_limit_bytes": "Int64",
}


class RunFacts(ConfigModel):
    """One ended flow run. ``subject`` is its stage, with a category ``stage.category``."""

    run_id: str
    subject: str
    state: str
    started_at: datetime
    duration_s: float
    queue_s: float = 0
    attempts: int = 1
    rows: int | None = None
    bytes_read: int | None = None
    cpu_s: float | None = None
    cpu_limit_cores: float | None = None
    throttled_s: float | None = None
    peak_memory_bytes: int | None = None
    memory_limit_bytes: int | None = None

    @property
    def completed(self) -> bool:
        """Whether it ended well."""
        return self.state == "COMPLETED"


class RunSummary(ConfigModel):
    """The runs of one subject: how many, how long, how well. Durations are of completed runs."""

    subject: str
    runs: int
    success_rate: float
    p50_s: float | None
    p95_s: float | None
    queue_p95_s: float
    retries: int
    rows: int
    bytes_read: int
    cpu_s: float | None
    cpu_limit_cores: float | None
    throttled_s: float | None
    peak_memory_bytes: int | None
    memory_limit_bytes: int | None
    last_state: str
    last_started_at: datetime


def with_reports(runs: Iterable[RunFacts], reports: Iterable[RunReport]) -> list[RunFacts]:
    """Add to runs what their reports in the store say: rows and bytes, and use of the machine.

    A stage's run, which has no report itself, has the rows and bytes of its categories. Rows of
    outputs that were left as they are do not count: they were not processed.
    """
    own: dict[str, RunReport] = {}
    parts: dict[str, list[RunReport]] = defaultdict(list)
    for report in reports:
        own[report.run_id] = report
        parts[report.run_id].append(report)
        if report.parent_run_id:
            parts[report.parent_run_id].append(report)
    return [_reported(run, own.get(run.run_id), parts[run.run_id]) for run in runs]


def _reported(run: RunFacts, own: RunReport | None, parts: Sequence[RunReport]) -> RunFacts:
    if not parts:
        return run
    found: dict[str, Any] = {
        "rows": sum(
            each.rows.rows_out
            for part in parts
            for each in part.derived
            if each.rows and each.outcome != "not_modified"
        ),
        "bytes_read": sum(each.bytes_in for part in parts for each in part.results),
    }
    if own and own.usage:
        found |= {
            "cpu_s": own.usage.cpu_ms / 1000,
            "cpu_limit_cores": _thousandth(own.usage.cpu_limit_millicores),
            "throttled_s": _thousandth(own.usage.throttled_ms),
            "peak_memory_bytes": own.usage.peak_memory_bytes,
            "memory_limit_bytes": own.usage.memory_limit_bytes,
        }
    return run.model_copy(update=found)


def keep_runs(lake: Lake, runs: Sequence[RunFacts], info: WriteInfo) -> MergeCounts | None:
    """Merge runs into the history by their id; None if there are none.

    Raises:
        TableConflictError: Another writer was first. A retry helps.
        StoreError: The table cannot be written.
    """
    if not runs:
        return None
    frame = pd.DataFrame([run.model_dump() for run in runs]).astype(_TYPES)
    return merge(lake, FLOW_RUNS, frame, info, key=["run_id"])


def read_runs(lake: Lake, since: datetime) -> list[RunFacts]:
    """Read the history since a time, oldest first; nothing where there is none yet.

    Raises:
        StoreError: The table cannot be read.
    """
    if not lake.exists(FLOW_RUNS):
        return []
    found = lake.query(
        "SELECT * FROM t WHERE started_at >= "  # noqa: S608 - a time of our own
        f"TIMESTAMP '{since.isoformat()}' ORDER BY started_at, run_id",
        {"t": FLOW_RUNS},
    )
    rows = found.astype("object").where(found.notna(), None).to_dict("records")
    return [RunFacts.model_validate({str(k): v for k, v in row.items()}) for row in rows]


def summarize(runs: Sequence[RunFacts]) -> list[RunSummary]:
    """Summarise runs by subject, in the order of its name."""
    return [_summary(subject, mine) for subject, mine in sorted(_by_subject(runs).items())]


def _summary(subject: str, runs: Sequence[RunFacts]) -> RunSummary:
    durations = [run.duration_s for run in runs if run.completed]
    last = runs[-1]
    return RunSummary(
        subject=subject,
        runs=len(runs),
        success_rate=round(sum(run.completed for run in runs) / len(runs), 4),
        p50_s=_percentile(durations, 50),
        p95_s=_percentile(durations, 95),
        queue_p95_s=_percentile([run.queue_s for run in runs], 95) or 0.0,
        retries=sum(run.attempts - 1 for run in runs),
        rows=sum(run.rows or 0 for run in runs),
        bytes_read=sum(run.bytes_read or 0 for run in runs),
        cpu_s=last.cpu_s,
        cpu_limit_cores=last.cpu_limit_cores,
        throttled_s=last.throttled_s,
        peak_memory_bytes=max(
            (r.peak_memory_bytes for r in runs if r.peak_memory_bytes), default=None
        ),
        memory_limit_bytes=last.memory_limit_bytes,
        last_state=last.state,
        last_started_at=last.started_at,
    )


def check_runs(runs: Sequence[RunFacts], limits: RunLimits) -> list[CheckResult]:
    """Check the newest run of each subject against those before it, oldest first."""
    results: list[CheckResult] = []
    for subject, mine in sorted(_by_subject(runs).items()):
        recent = mine[-limits.history - 1 :]
        results.append(_check_failures(subject, recent, limits))
        results += _check_duration(subject, recent, limits)
        results += _check_memory(subject, recent[-1], limits)
    return results


def _check_failures(subject: str, runs: Sequence[RunFacts], limits: RunLimits) -> CheckResult:
    failed = sum(not run.completed for run in runs)
    rate = failed / len(runs)
    last = runs[-1].state
    too_many = len(runs) >= MIN_HISTORY and rate > limits.max_failure_rate
    level: Level = "warning" if too_many or last in _BROKEN else "ok"
    return CheckResult(
        check="failures",
        subject=subject,
        level=level,
        value=round(rate, 4),
        threshold=limits.max_failure_rate,
        message=f"The last run {last.lower()}; {failed} of the last {len(runs)} did not complete "
        f"(at most {limits.max_failure_rate:.0%})",
    )


def _check_duration(subject: str, runs: Sequence[RunFacts], limits: RunLimits) -> list[CheckResult]:
    earlier = [run.duration_s for run in runs[:-1] if run.completed]
    last = runs[-1]
    if len(earlier) < MIN_HISTORY or not last.completed:
        return []
    median = float(np.median(earlier))
    allowed = median * limits.duration_factor + limits.duration_slack_s
    z = robust_z(last.duration_s, earlier)
    # Of short runs a second is many deviations: an outlier must also last noticeably longer.
    outlier = z > limits.robust_z and last.duration_s - median > limits.noticeable_s
    return [
        CheckResult(
            check="duration",
            subject=subject,
            level="warning" if last.duration_s > allowed or outlier else "ok",
            value=round(last.duration_s, 2),
            threshold=round(allowed, 2),
            message=f"The last run took {last.duration_s:.1f} s, the median of {len(earlier)} "
            f"before it {median:.1f} s: robust z {z:+.1f}",
        )
    ]


def _check_memory(subject: str, run: RunFacts, limits: RunLimits) -> list[CheckResult]:
    if not (run.peak_memory_bytes and run.memory_limit_bytes):
        return []
    share = run.peak_memory_bytes / run.memory_limit_bytes
    return [
        CheckResult(
            check="memory",
            subject=subject,
            level="warning" if share > limits.max_memory_share else "ok",
            value=round(share, 4),
            threshold=limits.max_memory_share,
            message=f"The last run used {share:.0%} of the memory that its container may "
            f"(at most {limits.max_memory_share:.0%})",
        )
    ]


def _by_subject(runs: Iterable[RunFacts]) -> Mapping[str, list[RunFacts]]:
    found: dict[str, list[RunFacts]] = defaultdict(list)
    for run in sorted(runs, key=lambda each: (each.started_at, each.run_id)):
        found[run.subject].append(run)
    return found


def _thousandth(value: int | None) -> float | None:
    return None if value is None else value / 1000


def _percentile(values: Sequence[float], percent: int) -> float | None:
    return round(float(np.percentile(values, percent)), 3) if values else None
