"""Runs: what they come to, what got worse, and a history without repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.manifest_models import (
    DerivedResult,
    ResourceUsage,
    RowCounts,
    RunReport,
)
from airnub_prefect_starter.core.monitoring.flow_config import RunLimits
from airnub_prefect_starter.core.monitoring.run_metrics import (
    RunFacts,
    check_runs,
    keep_runs,
    read_runs,
    summarize,
    with_reports,
)
from tests.unit.core.monitoring.conftest import INFO

START = datetime(2026, 3, 1, tzinfo=UTC)


def _runs(
    durations: Sequence[float], states: Sequence[str] = (), **facts: object
) -> list[RunFacts]:
    return [
        RunFacts.model_validate(
            {
                "run_id": f"{number:03}",
                "subject": "processing",
                "state": states[number] if number < len(states) else "COMPLETED",
                "started_at": START + timedelta(hours=number),
                "duration_s": duration,
                **facts,
            }
        )
        for number, duration in enumerate(durations)
    ]


def _bad(runs: Sequence[RunFacts]) -> list[str]:
    return [each.check for each in check_runs(runs, RunLimits()) if each.level != "ok"]


@pytest.mark.parametrize(
    ("durations", "bad"),
    [
        ([60] * 20 + [61], []),
        ([60] * 20 + [119], ["duration"]),  # within 1.5 times and 30 s, and an outlier
        ([60] * 20 + [121], ["duration"]),
        ([2] * 20 + [5], []),  # an outlier of three seconds
        ([2] * 20 + [13], ["duration"]),
        ([10, 60, 30, 90, 20, 70, 40, 85], []),
        ([60] * 4 + [600], []),  # too few to tell
    ],
)
def test_a_run_that_takes_much_longer_is_found(durations: list[float], bad: list[str]) -> None:
    assert _bad(_runs(durations)) == bad


@pytest.mark.parametrize(
    ("failed", "of", "bad"), [(0, 10, []), (1, 10, []), (2, 10, ["failures"]), (1, 2, [])]
)
def test_failures_above_a_tenth_are_found(failed: int, of: int, bad: list[str]) -> None:
    assert _bad(_runs([5] * of, ["FAILED"] * failed)) == bad


@pytest.mark.parametrize(
    ("state", "bad"),
    [("FAILED", ["failures"]), ("CRASHED", ["failures"]), ("CANCELLED", []), ("COMPLETED", [])],
)
def test_the_last_run_counts_however_rare_failures_are(state: str, bad: list[str]) -> None:
    assert _bad(_runs([5] * 20, ["COMPLETED"] * 19 + [state])) == bad
    assert _bad(_runs([5], [state])) == bad


def test_old_failures_are_forgotten() -> None:
    assert _bad(_runs([5] * 40, ["CRASHED"] * 19)) == []


@pytest.mark.parametrize(("peak", "bad"), [(850, []), (851, ["memory"])])
def test_memory_near_its_limit_is_found(peak: int, bad: list[str]) -> None:
    assert _bad(_runs([5], peak_memory_bytes=peak, memory_limit_bytes=1000)) == bad


def test_subjects_are_summarised_apart() -> None:
    runs = _runs([10, 20, 30, 40], ["COMPLETED", "COMPLETED", "COMPLETED", "FAILED"], attempts=2)
    other = [run.model_copy(update={"subject": "ingestion"}) for run in _runs([1])]

    found = summarize([*runs, *other])

    assert [each.subject for each in found] == ["ingestion", "processing"]
    processing = found[1]
    assert (processing.runs, processing.success_rate, processing.retries) == (4, 0.75, 4)
    assert (processing.p50_s, processing.p95_s) == (20, 29)
    assert processing.last_state == "FAILED"


def _result(outcome: str, rows: int) -> DerivedResult:
    return DerivedResult.model_validate(
        {
            "namespace": "processing.etl",
            "source_id": "t",
            "outcome": outcome,
            "manifest": f"sha256:{'1' * 64}",
            "outputs": (),
            "rows": RowCounts(rows_in=rows, rows_out=rows, rejected=0, duplicates=0),
        }
    )


def test_reports_add_volume_and_use_and_stages_have_that_of_their_categories() -> None:
    report = RunReport(
        run_id="001",
        parent_run_id="002",
        flow="f",
        started_at=START,
        finished_at=START,
        derived=(_result("stored", 8), _result("not_modified", 100)),
        usage=ResourceUsage(
            cpu_ms=1500,
            peak_memory_bytes=100,
            memory_limit_bytes=400,
            cpu_limit_millicores=500,
            throttled_ms=200,
        ),
    )
    other = report.model_copy(update={"run_id": "009", "derived": (_result("stored", 2),)})

    plain, category, stage = with_reports(_runs([1, 2, 3]), [report, other])

    assert (category.rows, category.cpu_s, category.peak_memory_bytes) == (8, 1.5, 100)
    assert (category.cpu_limit_cores, category.throttled_s) == (0.5, 0.2)
    assert (stage.rows, stage.cpu_s) == (10, None)
    assert (plain.rows, plain.cpu_s) == (None, None)


def test_the_history_has_each_run_once(lake: Lake) -> None:
    runs = _runs([1, 2, 3])
    keep_runs(lake, runs[:2], INFO)
    keep_runs(lake, [runs[1].model_copy(update={"rows": 7}), runs[2]], INFO)

    found = read_runs(lake, START + timedelta(hours=1))

    assert [(run.run_id, run.rows) for run in found] == [("001", 7), ("002", None)]
    assert found[1] == runs[2]


def test_without_a_history_there_are_no_runs(lake: Lake) -> None:
    assert keep_runs(lake, [], INFO) is None
    assert read_runs(lake, START) == []
