"""Monitoring's artifacts as Markdown: the same facts as the dashboard, in the UI of Prefect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.core.markdown import escape_markdown, image, markdown_table
from airnub_prefect_starter.core.monitoring.alerts import Alert
from airnub_prefect_starter.core.monitoring.dashboard import Plots
from airnub_prefect_starter.core.monitoring.reports import FlowReport, QualityReport
from airnub_prefect_starter.core.monitoring.results import CheckResult, found_problems

_MARKS = {"ok": "✅", "warning": "🟠", "critical": "🔴"}
# All plots of one artifact together: Prefect keeps it in its database.
_MOST_PLOTTED = 4


def quality_markdown(title: str, report: QualityReport) -> str:
    """Show score, findings, advice, and every check."""
    health = report.health
    parts = [
        f"# {escape_markdown(title)}",
        f"**Health {health.score} of 100: {health.status}.** {health.checks} checks, "
        f"{health.criticals} critical, {health.warnings} warnings.",
        *_findings(report.results),
    ]
    if health.recommendations:
        parts.append("\n".join(f"- {escape_markdown(each)}" for each in health.recommendations))
    rows = [
        (
            escape_markdown(each.table),
            str(each.version),
            f"{each.rows:,}",
            str(each.batches),
            rfc3339(each.written_at),
        )
        for each in report.tables
    ]
    header = ("table", "version", "rows", "batches", "last written")
    parts += ["## Tables", markdown_table(header, rows), "## All checks"]
    parts.append(checks_table([each for each in report.results if each.level == "ok"]))
    return "\n\n".join(parts)


def flows_markdown(title: str, report: FlowReport) -> str:
    """Show how the runs of each flow fared, what got worse, and the business figures."""
    rows = [
        (
            escape_markdown(each.subject),
            str(each.runs),
            f"{each.success_rate:.1%}",
            _seconds(each.p50_s),
            _seconds(each.p95_s),
            _seconds(each.queue_p95_s),
            str(each.retries),
            f"{each.rows:,}",
            f"{(each.peak_memory_bytes or 0) / (1 << 20):,.0f} MiB",
        )
        for each in report.summaries
    ]
    header = ("flow", "runs", "success", "median", "p95", "waited", "retries", "rows", "memory")
    numbers = [
        (escape_markdown(each.name), f"{each.values[0]:,.2f} {escape_markdown(each.unit)}")
        for each in report.figures
        if each.kind == "number" and each.values
    ]
    parts = [
        f"# {escape_markdown(title)}",
        *_findings(report.results),
        "## Runs",
        markdown_table(header, rows) if rows else "No run has ended yet.",
    ]
    if numbers:
        parts += ["## Business", markdown_table(("figure", "value"), numbers)]
    return "\n\n".join(parts)


def alerts_markdown(title: str, told: Mapping[str, str], alerts: Sequence[Alert]) -> str:
    """Show what each sink was told, and every open alert once.

    Args:
        title: Heading.
        told: Sink → what became of its delivery.
        alerts: As they are kept.
    """
    sinks = [(escape_markdown(sink), escape_markdown(what)) for sink, what in told.items()]
    open_ones = {each.fingerprint: each for each in alerts if each.open}
    rows = [
        (
            _MARKS[each.level],
            f"`{each.fingerprint}`",
            escape_markdown(f"{each.check} {each.subject} {each.column}"),
            escape_markdown(each.message),
            rfc3339(each.first_seen),
            str(each.count),
        )
        for each in open_ones.values()
    ]
    header = ("level", "fingerprint", "of", "what was found", "since", "seen")
    return "\n\n".join(
        [
            f"# {escape_markdown(title)}: alerts",
            markdown_table(("sink", "delivery"), sinks),
            f"## {len(rows)} open",
            markdown_table(header, rows) if rows else "None.",
        ]
    )


def dashboard_markdown(title: str, command: str, plots: Plots) -> str:
    """Show the first plots and say how to open the page."""
    shown = list(plots.items())[:_MOST_PLOTTED]
    return "\n\n".join(
        [
            f"# {escape_markdown(title)}: dashboard",
            f"Open it: `{command}`",
            *(image(name, png) for name, png in shown),
        ]
    )


def _findings(results: Sequence[CheckResult]) -> list[str]:
    problems = found_problems(results)
    if not problems:
        return [f"{len(results)} checks found nothing."]
    return ["## Findings", checks_table(problems)]


def checks_table(results: Sequence[CheckResult]) -> str:
    """Lay out checks: level, kind, of what, and what was found."""
    rows = [
        (
            _MARKS[each.level],
            escape_markdown(each.check),
            escape_markdown(f"{each.subject} {each.column}"),
            escape_markdown(each.message),
        )
        for each in results
    ]
    return markdown_table(("level", "check", "of", "what was found"), rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f} s"
