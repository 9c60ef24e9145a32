"""What became of the tables of a lake, as Markdown for people who look at a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airnub_prefect_starter.core.lake.snapshots import TableSnapshot
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table, short_digest

MAX_BATCHES = 60
_FINDINGS = ("table", "rule", "rows", "batches", "what became of them")
_BATCHES = ("table", "batch", "in", "out", "rejected", "duplicates", "note")


def tables_markdown(title: str, snapshots: Sequence[TableSnapshot]) -> str:
    """Show versions and rows, how columns changed, what was rejected or warned about, and batches.

    Rows reconcile for every batch: in = out + rejected + duplicates.
    """
    parts = [f"# {escape_markdown(title)}: tables", _overview(snapshots)]
    parts += ["## Schema evolution", _section(("table", "change"), _changes(snapshots))]
    parts += ["## Rejected, and warned about", _section(_FINDINGS, _findings(snapshots))]
    parts += ["## Batches", _section(_BATCHES, _batches(snapshots))]
    return "\n\n".join(parts)


def _overview(snapshots: Sequence[TableSnapshot]) -> str:
    rows = (
        (
            escape_markdown(each.table),
            str(each.version),
            f"{each.rows:,}",
            str(len(each.columns)),
            ", ".join(map(escape_markdown, each.key)),
            short_digest(each.digest),
        )
        for each in snapshots
    )
    return markdown_table(("table", "version", "rows", "columns", "key", "digest of rows"), rows)


def _section(header: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    found = list(rows)
    if not found:
        return "None."
    table = markdown_table(header, found[:MAX_BATCHES])
    left_out = len(found) - MAX_BATCHES
    return f"{table}\n\n… and {left_out} more" if left_out > 0 else table


def _changes(snapshots: Sequence[TableSnapshot]) -> Iterator[tuple[str, ...]]:
    for each in snapshots:
        for change in each.changes:
            yield escape_markdown(each.table), escape_markdown(change)


def _findings(snapshots: Sequence[TableSnapshot]) -> Iterator[tuple[str, ...]]:
    for each in snapshots:
        aside = each.table.replace("silver/", "quarantine/")
        batches = each.batches.values()
        yield from _by_rule(each.table, [one.rejected_by for one in batches], f"in {aside}")
        yield from _by_rule(each.table, [one.warnings for one in batches], "kept, as a warning")


def _by_rule(
    table: str, counts: Sequence[Mapping[str, int]], outcome: str
) -> Iterator[tuple[str, ...]]:
    for rule in sorted({rule for one in counts for rule in one}):
        rows = [one[rule] for one in counts if rule in one]
        numbers = f"{sum(rows):,}", str(len(rows))
        yield escape_markdown(table), escape_markdown(rule), *numbers, escape_markdown(outcome)


def _batches(snapshots: Sequence[TableSnapshot]) -> Iterator[tuple[str, ...]]:
    for each in snapshots:
        for batch, n in each.batches.items():
            numbers = (n.rows_in, n.rows_out, n.rejected, n.duplicates)
            yield (
                escape_markdown(each.table),
                escape_markdown(batch),
                *(f"{number:,}" for number in numbers),
                escape_markdown(n.note or ""),
            )
