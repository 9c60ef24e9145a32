"""The dashboard: all four parts, nothing from outside, nothing that runs, the same bytes again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.monitoring.business import Figure
from airnub_prefect_starter.core.monitoring.dashboard import (
    draw_plots,
    keep_dashboard,
    render_dashboard,
)
from airnub_prefect_starter.core.monitoring.reports import FlowReport, QualityReport, TableLine
from airnub_prefect_starter.core.monitoring.results import CheckResult, ScoreLimits, health
from airnub_prefect_starter.core.monitoring.run_metrics import RunFacts, summarize
from airnub_prefect_starter.core.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = ScoreLimits()


def _quality() -> QualityReport:
    results = (
        CheckResult(check="volume", subject="silver/flights", message="27,004 rows"),
        CheckResult(
            check="nulls", subject="<script>", column="x", level="critical", message="a <b> & c"
        ),
    )
    return QualityReport(
        checked_at=NOW,
        health=health(results, LIMITS),
        results=results,
        tables=(
            TableLine(
                table="silver/flights",
                version=3,
                rows=336_776,
                batches=12,
                size_bytes=7_000_000,
                written_at=NOW,
            ),
        ),
        trend=((NOW - timedelta(days=1), 90), (NOW, 70)),
    )


def _flows() -> FlowReport:
    runs = tuple(
        RunFacts(
            run_id=str(number),
            subject="processing.lake_etl",
            state="FAILED" if number == 3 else "COMPLETED",
            started_at=NOW - timedelta(days=number),
            duration_s=20 + number,
            peak_memory_bytes=300 << 20,
            memory_limit_bytes=512 << 20,
            cpu_limit_cores=1.75,
            throttled_s=0.25,
        )
        for number in range(5)
    )
    return FlowReport(
        checked_at=NOW,
        summaries=tuple(summarize(runs)),
        results=(),
        runs=runs,
        figures=(
            Figure(name="Cancelled", kind="number", unit="percent", labels=("",), values=(2.45,)),
            Figure(
                name="Flights per day",
                kind="series",
                unit="",
                labels=("a", "b", "c"),
                values=(1, 2, 9),
                outliers=(2,),
            ),
            Figure(name="Routes", kind="ranking", unit="", labels=("x → y",), values=(3,)),
        ),
    )


@pytest.fixture(scope="module")
def plots() -> dict[str, bytes]:
    return draw_plots(_quality(), _flows(), LIMITS)


def test_every_part_is_there_and_escaped(plots: dict[str, bytes]) -> None:
    page = render_dashboard("Data <Lake>", _quality(), _flows(), plots)

    assert [*plots] == ["health", "runs", "durations", "memory", "business-2", "business-3"]
    assert page.count("data:image/png;base64,") == len(plots)
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "Findings",
        "Run status",
        "Pipeline health",
        "System performance",
        "Business metrics",
    ]
    for text in (
        "Data &lt;Lake&gt;",
        "336,776",
        "80.0%",
        "314.6 MB",
        "2.45",
        "1.75",
        "0.25",
        "a &lt;b&gt; &amp; c",
    ):
        assert text in page
    assert "<script" not in page


def test_nothing_comes_from_outside(plots: dict[str, bytes]) -> None:
    page = render_dashboard("t", _quality(), _flows(), plots)

    assert re.findall(r"(?:src|href)=\"(?!data:)", page) == []
    assert "http" not in page
    assert "@import" not in page


def test_equal_reports_give_equal_bytes(content_store: Store, plots: dict[str, bytes]) -> None:
    again = draw_plots(_quality(), _flows(), LIMITS)
    results = []
    for drawn in (plots, again):
        page = render_dashboard("t", _quality(), _flows(), drawn)
        results.append(keep_dashboard(content_store, "monitoring", (), page, drawn, RunInfo()))

    assert results[0].manifest == results[1].manifest
    assert results[1].outcome == "not_modified"
    assert content_store.read_blob(results[0].outputs[0].blob.digest).startswith(b"<!doctype html>")


def test_a_part_that_is_missing_is_said() -> None:
    page = render_dashboard("t", None, None, draw_plots(None, None, LIMITS))

    assert "The data was not checked" in page
    assert "The runs were not measured" in page
    assert "checks found nothing" not in page
    assert "No run has ended yet" not in page


def test_where_all_was_measured_nothing_found_is_said() -> None:
    quality = _quality().model_copy(update={"results": ()})
    flows = _flows().model_copy(update={"runs": (), "summaries": ()})

    page = render_dashboard("t", quality, flows, {})

    assert "0 checks found nothing" in page
    assert "No run has ended yet" in page
    assert "critical tag" not in page
