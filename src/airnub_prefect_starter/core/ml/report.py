"""The report of a training: one HTML file with everything in it, a pure function."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from airnub_prefect_starter.common.utils import generate_sha256_hash
from airnub_prefect_starter.core.ml.card import ModelCard
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.gates import shown

HTML = "text/html"
_TEMPLATES = Path(__file__).parent / "templates"
_NAME = "report.html.jinja"


def render_report(card: ModelCard, found: Evaluation, plots: Mapping[str, bytes]) -> str:
    """Lay out a training and its plots; equal arguments give an equal text.

    Everything is escaped; no script, no address outside the file.
    """
    return _template().render(
        card=card,
        found=found,
        best=found.best,
        candidates=sorted(found.candidates, key=lambda each: -each.cv_auc),
        plots={name: base64.b64encode(png).decode() for name, png in plots.items()},
    )


def template_digest() -> str:
    """Give the SHA-256 of the layout: what the report is made of beside code."""
    return generate_sha256_hash(_TEMPLATES / _NAME)


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
        count="{:,}".format, percent="{:.1%}".format, four="{:.4f}".format, gate=shown
    )
    return environment.get_template(_NAME)
