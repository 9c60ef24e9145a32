"""Trainings and what became of them, for people who look at a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airnub_prefect_starter.core.markdown import escape_markdown, image, markdown_table
from airnub_prefect_starter.core.ml.promotion import Promotion


def training_markdown(
    card: str, plots: Mapping[str, bytes], report: str, *, department: str
) -> str:
    """Show a model card with its plots, and how to get the report.

    Args:
        card: Markdown.
        plots: Name → PNG.
        report: Digest of the HTML report.
        department: In whose store it is.
    """
    parts = [
        card,
        "## Plots",
        *(image(name.capitalize(), png) for name, png in plots.items()),
        f"The report as one HTML file: `airnub store get {report} -d {department} -o report.html`",
    ]
    return "\n\n".join(parts)


def promotions_markdown(
    title: str, promotions: Sequence[Promotion], mirrors: Mapping[str, str]
) -> str:
    """Show which versions were registered, which ones count now, and why.

    Args:
        title: Of the page.
        promotions: What became of trainings.
        mirrors: Training → what MLflow has of it.
    """
    rows = [
        (
            escape_markdown(each.version.name),
            f"{each.version.number} ({each.version.kind})".replace("_", " "),
            f"{each.version.metrics['auc']:.4f}",
            f"**{each.role}**",
            escape_markdown(each.reason),
            escape_markdown(mirrors.get(each.source_id, "")),
        )
        for each in promotions
    ]
    header = ("model", "version", "AUC", "role", "why", "MLflow")
    lines = [escape_markdown(each.line) for each in promotions]
    return "\n\n".join(
        [f"# {escape_markdown(title)}", markdown_table(header, rows), *(f"**{x}**" for x in lines)]
    )
