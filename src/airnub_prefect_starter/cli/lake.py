"""``airnub lake``: the tables of a data lake, their past, and queries over them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import (
    JsonOption,
    counted,
    patience,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.common.utils import human_bytes

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from airnub_prefect_starter.core.lake.lake import Lake

# The library of Delta tables takes half a second to import: every command imports it late.
app = typer.Typer(no_args_is_help=True, help="List, describe and query the tables of a data lake.")

TableArgument = Annotated[
    str, typer.Argument(help="A table, such as silver/flights.", metavar="TABLE")
]
_SHORT = 12


@app.command()
def tables(
    department: DepartmentOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List every table with its newest version, from the tables' logs alone.

    Example: airnub lake tables -d data_lake
    """
    from airnub_prefect_starter.core.lake.catalog import read_entries

    with patience("Reading the logs of the tables"):
        found = read_entries(chosen_store(department, url))
    if as_json:
        show_json(found)
        return
    show_table(
        "",
        ("table", "version", "rows", "files", "size", "last commit", "operation"),
        (
            (
                each.table,
                str(each.version),
                each.rows,
                each.files,
                human_bytes(each.bytes),
                rfc3339(each.last_commit.at),
                each.last_commit.operation,
            )
            for each in found
        ),
    )


@app.command()
def show(
    table: TableArgument,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a table: columns, partitions, files, who wrote it last and of what.

    Example: airnub lake show gold/daily_flights -d data_lake
    """
    from airnub_prefect_starter.core.lake.catalog import read_entry
    from airnub_prefect_starter.core.lake.lake import Lake

    store = chosen_store(department, url)
    _require(Lake.of(store), table)
    found = read_entry(store, table)
    if as_json:
        show_json(found)
        return
    commit = found.last_commit
    facts = {
        "table": found.table,
        "rows": f"{found.rows:,} in {counted(found.files, 'file')}, {human_bytes(found.bytes)}",
        "version": f"{found.version}, the log has {found.first_version} to {found.version}",
        "partitions": f"{found.partitions:,} by {', '.join(found.partition_by)}"
        if found.partition_by
        else "none",
        "last commit": f"{commit.operation} at {rfc3339(commit.at)}",
        "run": commit.run_id or "none",
        "made of": commit.inputs or "unknown",
        "ref": found.ref or "none",
        "table digest": found.digest or "unknown",
        "contract": found.contract or "none",
    }
    for name, value in facts.items():
        say(f"{name:<{_SHORT}}  {value}")
    show_table("", ("column", "type"), ((each.name, each.type) for each in found.columns))


@app.command()
def history(
    table: TableArgument,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a table's versions, the newest first: when, what, by which run, of what.

    Example: airnub lake history silver/flights -d data_lake
    """
    from airnub_prefect_starter.core.lake import time_travel
    from airnub_prefect_starter.core.lake.lake import Lake

    lake = Lake.of(chosen_store(department, url))
    _require(lake, table)
    commits = time_travel.history(lake.open(table))
    if as_json:
        show_json(commits)
        return
    show_table(
        "",
        ("version", "time", "operation", "rows added", "run", "made of"),
        (
            (
                str(each.version),
                rfc3339(each.at),
                each.operation,
                "" if each.rows_added is None else each.rows_added,
                each.run_id or "",
                (each.inputs or "").removeprefix("sha256:")[:_SHORT],
            )
            for each in commits
        ),
    )


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="A SELECT; silver/flights is called silver_flights.")],
    as_of: Annotated[
        str | None,
        typer.Option(
            help="A version, a time with its zone, or a date, which means the end of that day in"
            " UTC: tables are read as they were then.",
            metavar="DATE|TIME|VERSION",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows to show.")] = 50,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Query tables by SQL as DataFusion understands it, now or as they were.

    Example: airnub lake query "SELECT origin, sum(flights) FROM gold_daily_flights GROUP BY
    origin" --as-of 2026-11-20 -d data_lake
    """
    from airnub_prefect_starter.core.lake.lake import Lake
    from airnub_prefect_starter.core.lake.queries import select

    opened = _opened(Lake.of(chosen_store(department, url)), sql, as_of)
    with patience("Running the query"):
        frame = select(sql, opened, what="The query", limit=limit + 1)
    rows = [[_plain(value) for value in row] for row in frame.head(limit).itertuples(index=False)]
    names = [str(name) for name in frame.columns]
    if as_json:
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    show_table("", names, ([_shown(value) for value in row] for row in rows))
    if len(frame) > limit:
        say(f"… and more than these {limit:,} rows; --limit shows more")


def _opened(lake: Lake, sql: str, as_of: str | None) -> dict[str, DeltaTable]:
    """Open the tables that the SQL names, and no others: a lake may have many."""
    from airnub_prefect_starter.core.lake.time_travel import find_commit, parse_as_of

    moment = None if as_of is None else parse_as_of(as_of)
    words = set(re.findall(r"\w+", sql))
    known = {_called(table): table for table in lake.tables()}
    named = {name: table for name, table in known.items() if name in words}
    if not named:
        raise ConfigError(
            "The SQL names no table of this lake", f"Name one of {', '.join(known) or 'none'}"
        )
    return {
        name: lake.open(
            table, version=None if moment is None else find_commit(lake, table, moment).version
        )
        for name, table in named.items()
    }


def _called(table: str) -> str:
    return re.sub(r"\W", "_", table)


def _require(lake: Lake, table: str) -> None:
    if lake.exists(table):
        return
    hint = nearest(table, lake.tables())
    raise ObjectNotFoundError(
        f"There is no table {table}",
        f"Did you mean {hint}?" if hint else "See `airnub lake tables`",
    )


def _plain(value: Any) -> Any:
    """Give a value as JSON has it; what is missing is null."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else value
