"""The lake as Markdown, for people who look at a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.lake.catalog import CatalogEntry, ColumnEntry, LakeCatalog
from airnub_prefect_starter.core.lake.maintenance import Maintained
from airnub_prefect_starter.core.lake.time_travel import Difference, Travel
from airnub_prefect_starter.core.lake.warehouse import Publication
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table, short_digest

_NONE = "none"


def catalog_markdown(catalog: LakeCatalog, department: str) -> str:
    """Show every table on a line, then the columns of each."""
    total = human_bytes(sum(each.bytes for each in catalog.tables))
    header = ("table", "version", "rows", "files", "size", "last commit", "operation", "digest")
    columns = [
        f"| `{each.table}` | {', '.join(map(_column, each.columns))} |" for each in catalog.tables
    ]
    return "\n\n".join(
        [
            "# Catalog of the data lake",
            f"**{len(catalog.tables)} tables**, {total} in the files of their newest versions.",
            markdown_table(header, map(_catalog_row, catalog.tables)),
            "## Columns",
            "\n".join(["| table | columns |", "| --- | --- |", *columns]),
            f"`airnub lake show TABLE -d {department}` tells more of one, `airnub trace REF"
            f" -d {department}` what it was made of.",
        ]
    )


def _column(each: ColumnEntry) -> str:
    return f"{escape_markdown(each.name)} *{escape_markdown(each.type)}*"


def _catalog_row(entry: CatalogEntry) -> tuple[str, ...]:
    return (
        f"`{entry.table}`",
        str(entry.version),
        f"{entry.rows:,}",
        f"{entry.files:,}",
        human_bytes(entry.bytes),
        rfc3339(entry.last_commit.at),
        escape_markdown(entry.last_commit.operation),
        short_digest(entry.digest) if entry.digest else _NONE,
    )


def travels_markdown(travels: Sequence[Travel]) -> str:
    """Show what the last change of each table did, and where that cannot be told."""
    header = ("table", "before", "after", "rows before", "rows after", "added", "removed")
    known = [each.difference for each in travels if each.difference]
    parts = [
        "# Time travel: the last change of each table",
        markdown_table(header, map(_difference_row, known)),
        "A row that changed is removed and added. `airnub lake query SQL --as-of DATE` reads tables"
        " as they were.",
    ]
    unknown = [each for each in travels if each.difference is None]
    parts += [f"- `{each.table}`: {escape_markdown(each.why_not)}" for each in unknown]
    return "\n\n".join(parts)


def _difference_row(each: Difference) -> tuple[str, ...]:
    return (
        f"`{each.table}`",
        f"{each.before.version}, {rfc3339(each.before.at)}",
        f"{each.after.version}, {rfc3339(each.after.at)}",
        f"{each.rows_before:,}",
        f"{each.rows_after:,}",
        f"{each.added:,}",
        f"{each.removed:,}",
    )


def warehouse_markdown(
    address: str, published: Sequence[Publication], failed: Mapping[str, str]
) -> str:
    """Show which rows the tables of a warehouse have now, and what failed."""
    header = ("table", "outcome", "version", "rows", "digest")
    rows = (
        (
            f"`{each.name}`",
            each.outcome,
            str(each.version),
            f"{each.rows:,}",
            short_digest(each.table_digest),
        )
        for each in published
    )
    return "\n\n".join(
        [
            "# Warehouse",
            escape_markdown(address),
            *_failures(failed),
            markdown_table(header, rows),
            "The table `published` beside them says which rows each has.",
        ]
    )


def _failures(failed: Mapping[str, str]) -> list[str]:
    lines = [f"- **`{name}` failed:** {escape_markdown(why)}" for name, why in failed.items()]
    return ["\n".join(lines)] if lines else []


def maintenance_markdown(done: Sequence[Maintained], failed: Mapping[str, str]) -> str:
    """Show files and sizes of each table before and after, what was kept, and what failed."""
    header = ("table", "version", "files", "size", "joined", "old files", "released versions")
    saved = sum(each.bytes_before - each.bytes_after for each in done)
    change = f"{human_bytes(abs(saved))} {'fewer' if saved >= 0 else 'more'}"
    return "\n\n".join(
        [
            "# Maintenance of the data lake",
            f"**{len(done)} tables**, {change} than before.",
            *_failures(failed),
            markdown_table(header, map(_maintained_row, done)),
            "Sizes are those of all objects, the log included. Released versions are those that a"
            " ref or a pin leads to: they stay readable.",
        ]
    )


def _maintained_row(each: Maintained) -> tuple[str, ...]:
    kept = ", ".join(map(str, each.kept))
    return (
        f"`{each.table}`",
        str(each.version),
        f"{each.files_before:,} → {each.files_after:,}",
        f"{human_bytes(each.bytes_before)} → {human_bytes(each.bytes_after)}",
        f"{each.joined:,}",
        f"{each.removed:,} {'removed' if each.applied else 'would go'}",
        kept or _NONE,
    )
