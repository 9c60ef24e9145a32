"""Drift as Markdown, for the artifact of the flow that reports it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airnub_prefect_starter.control.differences import Change
from airnub_prefect_starter.control.wording import FOUND, drift_total, texts
from airnub_prefect_starter.core.markdown import MAX_TABLE_ROWS, escape_markdown, markdown_table


def drift_markdown(title: str, changes: Sequence[Change], unchanged: int) -> str:
    """Show drift as a table with a row per value that differs."""
    parts = [f"# {escape_markdown(title)}", f"**{drift_total(changes, unchanged)}**"]
    rows = [row for change in changes for row in _rows(change)]
    if rows:
        header = ("found", "object", "field", "in Git", "on the server")
        parts.append(markdown_table(header, rows[:MAX_TABLE_ROWS]))
        parts.append("`airnub bootstrap` brings the server to what Git says.")
    if len(rows) > MAX_TABLE_ROWS:
        parts.append(f"… and {len(rows) - MAX_TABLE_ROWS:,} rows more")
    return "\n\n".join(parts)


def _rows(change: Change) -> Iterator[tuple[str, ...]]:
    found, name = FOUND[change.action], escape_markdown(f"{change.kind} {change.name}")
    if not change.differences:
        yield found, name, "", "", ""
    for each in change.differences:
        before, after = texts(each)
        yield found, name, *map(escape_markdown, (each.field, after, before))
