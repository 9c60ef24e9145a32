"""Reports of a training and on drift: one HTML file with everything in it each, pure functions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airnub_prefect_starter.common.utils import generate_sha256_hash
from airnub_prefect_starter.core.ml.card import ModelCard
from airnub_prefect_starter.core.ml.drift import DriftReport
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.gates import shown
from airnub_prefect_starter.core.monitoring.results import SEVERITY

HTML = "text/html"
TRAINING, DRIFT = "report.html.jinja", "drift.html.jinja"
_STYLE = "style.css.jinja"
_TEMPLATES = Path(__file__).parent / "templates"


def render_report(card: ModelCard, found: Evaluation, plots: Mapping[str, bytes]) -> str:
    """Lay out a training and its plots; equal arguments give an equal text.

    Everything is escaped; no script, no address outside the file.
    """
    return _render(
        TRAINING,
        card=card,
        found=found,
        best=found.best,
        candidates=sorted(found.candidates, key=lambda each: -each.cv_auc),
        plots={name: _text(png) for name, png in plots.items()},
    )


def render_drift(report: DriftReport, plot: bytes) -> str:
    """Lay out what has drifted, the worst first; as `render_report`."""
    results = sorted(report.results, key=lambda each: (-SEVERITY[each.level], -(each.value or 0)))
    return _render(DRIFT, report=report, results=results, plot=_text(plot))


def template_digest(name: str) -> str:
    """Give the SHA-256 of a layout: what a report is made of beside code."""
    return generate_sha256_hash(
        b"".join((_TEMPLATES / each).read_bytes() for each in (name, _STYLE))
    )


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()


def _render(name: str, **values: object) -> str:
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count="{:,}".format, percent="{:.1%}".format, four="{:.4f}".format, gate=shown
    )
    return environment
