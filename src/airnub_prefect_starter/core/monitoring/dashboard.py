"""The dashboard: one HTML file with everything in it, a pure function of two reports."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.derivation import Derivation, commit
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedOutput,
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.monitoring import charts
from airnub_prefect_starter.core.monitoring.reports import FlowReport, QualityReport
from airnub_prefect_starter.core.monitoring.results import ScoreLimits, found_problems
from airnub_prefect_starter.core.plots import PNG
from airnub_prefect_starter.core.store import Store

HTML = "text/html"
NAME = "dashboard"
_TEMPLATES = Path(__file__).parent / "templates"
Plots = Mapping[str, bytes]


def draw_plots(
    quality: QualityReport | None, flows: FlowReport | None, limits: ScoreLimits
) -> dict[str, bytes]:
    """Draw what there is something to draw of: name → PNG."""
    drawn: dict[str, bytes] = {}
    if quality and quality.trend:
        drawn["health"] = charts.score_trend(quality.trend, limits)
    if flows and flows.runs:
        drawn["runs"] = charts.runs_by_day(flows.runs)
        drawn["durations"] = charts.durations(flows.summaries)
        if any(each.peak_memory_bytes for each in flows.summaries):
            drawn["memory"] = charts.memory(flows.summaries)
    for number, figure in enumerate(flows.figures if flows else (), start=1):
        if figure.kind != "number" and figure.values:
            drawn[f"business-{number}"] = charts.business(figure)
    return drawn


def render_dashboard(
    title: str, quality: QualityReport | None, flows: FlowReport | None, plots: Plots
) -> str:
    """Lay out the reports and their plots; equal arguments give an equal text.

    Everything is escaped; no script, no address outside the file.
    """
    results = (*(quality.results if quality else ()), *(flows.results if flows else ()))
    times = [report.checked_at for report in (quality, flows) if report]
    return _template().render(
        title=title,
        at=max(times, default=None),
        quality=quality,
        flows=flows,
        problems=found_problems(results),
        checks=len(results),
        plots={name: base64.b64encode(png).decode() for name, png in plots.items()},
        numbers=[each for each in (flows.figures if flows else ()) if each.kind == "number"],
    )


def keep_dashboard(
    store: Store,
    namespace: str,
    made_of: tuple[DerivedInput, ...],
    page: str,
    plots: Plots,
    run: RunInfo,
) -> DerivedResult:
    """Store the page and its plots under ``<namespace>/dashboard``, made of the reports.

    Raises:
        StoreError: It cannot be written.
    """
    blob, _ = store.put_bytes(page.encode(), media_type=HTML)
    outputs = [DerivedOutput(name="dashboard.html", blob=blob)]
    for name, png in plots.items():
        plot, _ = store.put_bytes(png, media_type=PNG)
        outputs.append(DerivedOutput(name=f"{name}.png", blob=plot))
    return commit(store, Derivation(namespace, NAME, made_of, {}), outputs, run=run)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=_moment,
        minute=_minute,
        size=human_bytes,
        count="{:,}".format,
        percent="{:.1%}".format,
        figure=_figure,
    )
    return environment.get_template("dashboard.html.jinja")


def _moment(at: datetime) -> str:
    return rfc3339(at).replace("T", " ").replace("Z", " UTC")


def _minute(at: datetime) -> str:
    return _moment(at)[: len("2026-01-31 12:00")]


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.2f}"
