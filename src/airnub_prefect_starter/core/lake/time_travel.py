"""Tables as they were: the versions of a table, and what two of them differ in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from deltalake import DeltaTable

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    TableSchemaError,
)
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.lake import Lake, quoted
from airnub_prefect_starter.core.lake.queries import select
from airnub_prefect_starter.core.lake.writing import INPUTS, RUN_ID, UPKEEP, columns_of
from airnub_prefect_starter.core.manifest_models import Moment, Record


class Commit(Record):
    """One version of a table, as its log tells it.

    ``inputs`` is the digest of what the rows were made of.
    """

    version: int
    at: Moment
    operation: str
    run_id: str | None = None
    inputs: str | None = None
    rows_added: int | None = None

    @property
    def changed_rows(self) -> bool:
        """Whether the version may have other rows than the one before."""
        return self.operation not in UPKEEP


@dataclass(frozen=True)
class Difference:
    """What two versions of a table differ in; a row that changed is removed and added."""

    table: str
    before: Commit
    after: Commit
    rows_before: int
    rows_after: int
    added: int
    removed: int


def history(opened: DeltaTable) -> tuple[Commit, ...]:
    """List a table's versions, the newest first, as far back as its log goes.

    Raises:
        StoreError: The log cannot be read.
    """
    with translated("Reading the history of a table"):
        found = opened.history()
    return tuple(
        Commit(
            version=each["version"],
            at=dt.datetime.fromtimestamp(each["timestamp"] / 1000, dt.UTC),
            operation=each["operation"],
            run_id=each.get(RUN_ID),
            inputs=each.get(INPUTS),
            rows_added=_rows_added(each.get("operationMetrics") or {}),
        )
        for each in found
    )


def _rows_added(metrics: dict[str, object]) -> int | None:
    for name in ("num_added_rows", "num_target_rows_inserted"):
        value = metrics.get(name)
        if isinstance(value, int):
            return value
    return None


def parse_as_of(text: str) -> int | dt.datetime:
    """Read a version, or a time with its zone; a date means the end of that day in UTC.

    Raises:
        ConfigError: It is neither. No retry.
    """
    if text.isdecimal():
        return int(text)
    try:
        if len(text) == len("2013-01-31"):
            day = dt.date.fromisoformat(text)
            return dt.datetime.combine(day, dt.time.max, dt.UTC)
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _no_moment(text) from None
    if moment.tzinfo is None:
        raise _no_moment(text)
    return moment


def _no_moment(text: str) -> ConfigError:
    return ConfigError(
        f"{text[:40]!r} is neither a version, a date nor a time with its zone",
        "Write 3, 2013-01-31 or 2013-01-31T12:00:00Z",
    )


def find_commit(lake: Lake, table: str, as_of: int | dt.datetime) -> Commit:
    """Find the version that a table had at a time, or the one of a number.

    The times are those that the commits state: a copy of a table has the history of the original.

    Raises:
        ObjectNotFoundError: There is no such table, or it had no version yet, or the log does not
            reach back so far. No retry.
        StoreError: The log cannot be read.
    """
    commits = history(lake.open(table))
    found = next((each for each in commits if _is(each, as_of)), None)
    if found is not None:
        return found
    oldest, newest = commits[-1], commits[0]
    asked = f"version {as_of}" if isinstance(as_of, int) else rfc3339(as_of)
    raise ObjectNotFoundError(
        f"{table} has nothing as of {asked}: its log has the versions {oldest.version} to"
        f" {newest.version}, of {rfc3339(oldest.at)} to {rfc3339(newest.at)}",
        f"Choose one of them; see `airnub lake history {table}`",
    )


def _is(commit: Commit, as_of: int | dt.datetime) -> bool:
    return commit.version == as_of if isinstance(as_of, int) else commit.at <= as_of


def last_changes(lake: Lake, table: str) -> tuple[Commit, ...]:
    """Give the last two versions in which rows changed, the older first; one if there is no other.

    Raises:
        StoreError: The log cannot be read.
    """
    changed = [each for each in history(lake.open(table)) if each.changed_rows]
    return tuple(reversed(changed[:2]))


def compare(lake: Lake, table: str, before: Commit, after: Commit) -> Difference:
    """Count the rows that are in one version alone; equal rows of one version count each.

    Columns that only one version has are left out of the comparison, and those whose type changed
    are compared as text.

    Raises:
        TableSchemaError: The two have no column in common. No retry.
        ObjectNotFoundError: Maintenance removed the files of one of them. No retry.
        StoreError: A version cannot be read.
    """
    old, new = (lake.open(table, version=each.version) for each in (before, after))
    was, now = columns_of(old), columns_of(new)
    shared = {name: kind == was[name] for name, kind in now.items() if name in was}
    if not shared:
        raise TableSchemaError(
            f"{table} has no column that it had in version {before.version}", "Compare others"
        )
    try:
        found = select(_counts(shared), {"old": old, "new": new}, what=f"Comparing {table}")
    except CorruptObjectError as error:
        raise _removed(table, before.version) from error
    rows_before, rows_after, added, removed = (int(value) for value in found.iloc[0])
    return Difference(table, before, after, rows_before, rows_after, added, removed)


def _counts(shared: Mapping[str, bool]) -> str:
    """Give the SQL for columns, and whether their types are equal.

    Grouped rows need memory for the different ones only.
    """
    names = ", ".join(map(quoted, shared))
    values = ", ".join(
        quoted(name) if equal else f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}"
        for name, equal in shared.items()
    )
    return f"""
    SELECT coalesce(sum(was), 0), coalesce(sum(is_now), 0),
           coalesce(sum(CASE WHEN is_now > was THEN is_now - was ELSE 0 END), 0),
           coalesce(sum(CASE WHEN was > is_now THEN was - is_now ELSE 0 END), 0)
    FROM (
        SELECT sum(was) AS was, sum(is_now) AS is_now FROM (
            SELECT {values}, 1 AS was, 0 AS is_now FROM old
            UNION ALL
            SELECT {values}, 0 AS was, 1 AS is_now FROM new
        ) GROUP BY {names}
    )"""


@dataclass(frozen=True)
class Travel:
    """A look at a table's past: what its last change did, or why that cannot be told."""

    table: str
    difference: Difference | None
    why_not: str = ""


def core_compare_last_versions(lake: Lake, table: str) -> Travel:
    """Compare the last two versions in which a table's rows changed.

    Raises:
        ObjectNotFoundError: There is no such table. No retry.
        StoreError: It cannot be read.
    """
    changes = last_changes(lake, table)
    if len(changes) < 2:
        return Travel(table, None, "has had one version only")
    try:
        return Travel(table, compare(lake, table, *changes))
    except (ObjectNotFoundError, TableSchemaError) as error:
        return Travel(table, None, error.message)


def read_as_of(lake: Lake, table: str, commit: Commit) -> pd.DataFrame:
    """Read a table as it was.

    Raises:
        ObjectNotFoundError: Maintenance removed its files. No retry.
        StoreError: It cannot be read.
    """
    opened = lake.open(table, version=commit.version)
    try:
        return select("SELECT * FROM t", {"t": opened}, what=f"Reading {table}")
    except CorruptObjectError as error:
        raise _removed(table, commit.version) from error


def _removed(table: str, version: int) -> ObjectNotFoundError:
    return ObjectNotFoundError(
        f"Files of version {version} of {table} are gone, most likely removed by maintenance",
        "Choose a later version; what is to stay needs a pin (`airnub store pin`)",
    )
