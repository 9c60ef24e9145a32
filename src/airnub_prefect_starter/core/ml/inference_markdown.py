"""What scores, comparisons and drift come to, as Markdown for the UI of Prefect."""

from __future__ import annotations

from airnub_prefect_starter.core.markdown import (
    escape_markdown,
    image,
    markdown_table,
    short_digest,
)
from airnub_prefect_starter.core.ml.comparison import Arm, Comparison
from airnub_prefect_starter.core.ml.comparison_step import ComparisonReport
from airnub_prefect_starter.core.ml.delong import Interval
from airnub_prefect_starter.core.ml.drift import DriftReport
from airnub_prefect_starter.core.ml.scoring import Scores
from airnub_prefect_starter.core.monitoring.markdown import checks_table
from airnub_prefect_starter.core.monitoring.results import SEVERITY, found_problems


def scores_markdown(title: str, scores: Scores) -> str:
    """Show how many people are at risk, and the first 20."""
    segments = [
        (escape_markdown(name), f"{rows:,}", f"{rows / max(1, scores.rows):.1%}")
        for name, rows in scores.segments.items()
    ]
    top = [
        (escape_markdown(key), f"{probability:.1%}", escape_markdown(segment))
        for key, probability, segment in scores.top
    ]
    return "\n\n".join(
        [
            f"# {escape_markdown(title)}",
            f"`{scores.table}` version {scores.version}: {scores.rows:,} rows by version "
            f"{scores.model_version} of {escape_markdown(scores.model)}; {scores.positives:,} reach"
            " its threshold.",
            markdown_table(("segment", "rows", "share"), segments),
            f"## The {len(top)} most at risk",
            markdown_table(("id", "probability", "segment"), top),
        ]
    )


def comparison_markdown(title: str, report: ComparisonReport) -> str:
    """Show the decision, the arms, and the differences with their intervals."""
    parts = [f"# {escape_markdown(title)}", f"**{escape_markdown(report.summary)}**"]
    found = report.comparison
    if found is not None:
        parts += [
            f"{found.rows:,} rows that neither model was trained on; experiment "
            f"`{escape_markdown(found.experiment)}` gives each id its arm. Intervals: 95 %.",
            _arms(found),
            _differences(found),
        ]
    return "\n\n".join(parts)


def drift_markdown(title: str, report: DriftReport, plot: bytes) -> str:
    """Show what has moved, the worst first, then the plot and every check."""
    problems = found_problems(report.results)
    found = checks_table(problems) if problems else f"{len(report.results)} checks found nothing."
    everything = sorted(report.results, key=lambda each: (-SEVERITY[each.level], each.column))
    return "\n\n".join(
        [
            f"# {escape_markdown(title)}",
            f"{report.rows:,} rows ({short_digest(report.batch)}) against those that version "
            f"{report.version} of {escape_markdown(report.model)} was trained on "
            f"({short_digest(report.reference)}): **{report.health.status}**.",
            found,
            image("Drift", plot),
            "## All checks",
            checks_table(everything),
        ]
    )


def _arms(found: Comparison) -> str:
    header = ("arm", "version", "rows", "positives", "AUC", "Brier", "recall of the top 20 %")
    return markdown_table(header, [_arm(found.champion), _arm(found.challenger)])


def _arm(arm: Arm) -> tuple[str, ...]:
    return (
        arm.name,
        str(arm.version),
        f"{arm.rows:,}",
        f"{arm.positives:,}",
        _interval(arm.auc),
        _interval(arm.brier),
        _interval(arm.recall_at_20_percent),
    )


def _differences(found: Comparison) -> str:
    rows = [
        ("AUC, both on all rows (decides)", _interval(found.auc_paired, "+")),
        ("AUC, arm against arm", _interval(found.auc_between_arms, "+")),
        ("Brier, arm against arm", _interval(found.brier_between_arms, "+")),
    ]
    return markdown_table(("challenger less champion", "difference"), rows)


def _interval(found: Interval, sign: str = "") -> str:
    value, low, high = (f"{each:{sign}.4f}" for each in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"
