"""Feature tables: rows by key and time, written by MERGE, read as they were known at a time.

A row says what was true of a key at its ``event_timestamp``. Reads never give a row of a later time
than they ask for, so nothing of the future gets into training.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import PayloadError, TableSchemaError
from airnub_prefect_starter.core.feature_store.registry import (
    CREATED_AT,
    EVENT_TIMESTAMP,
    FEATURE_VERSION,
    OWN_COLUMNS,
    FeatureRegistry,
)
from airnub_prefect_starter.core.lake.lake import Lake, literal, quoted
from airnub_prefect_starter.core.lake.writing import MergeCounts, WriteInfo, columns_of, merge
from airnub_prefect_starter.core.table_schema import Column, TableSchema
from airnub_prefect_starter.core.tables import table_digest

_PANDAS = {"string": "str", "int": "int64", "float": "float64", "bool": "bool"}
_EXACT = ("int", "bool")


def feature_schema(registry: FeatureRegistry) -> TableSchema:
    """Describe the rows of a feature table, less the time at which they were written."""
    return TableSchema(
        key=(registry.key, EVENT_TIMESTAMP),
        columns=(
            Column(name=registry.key, dtype="string"),
            Column(name=EVENT_TIMESTAMP, dtype="timestamp"),
            Column(name=FEATURE_VERSION, dtype="string"),
            *(Column(name=each.name, dtype=each.data_type) for each in registry.entries),
        ),
    )


def feature_rows(
    frame: pd.DataFrame, registry: FeatureRegistry, event_timestamp: dt.datetime
) -> pd.DataFrame:
    """Give computed features the form of the table: the registry's columns, types and order.

    Args:
        frame: The key, the features and the label; nothing else, one row per key.
        registry: What the columns must be.
        event_timestamp: The time (UTC) that all rows are about.

    Returns:
        Rows ordered by key, without ``created_at``.

    Raises:
        TableSchemaError: The columns are not the registry's. No retry.
        PayloadError: There is no row, or a value is missing, not finite or not of its type. No
            retry.
    """
    if not len(frame):
        raise PayloadError("There are no rows to compute features of", "Prepare some rows")
    names = [registry.key, *(each.name for each in registry.entries)]
    _require_columns(
        frame.columns,
        names,
        how="computed",
        remedy="Correct the list of features in the category's YAML",
    )
    typed = frame[names].copy()
    for each in registry.entries:
        typed[each.name] = _typed(frame[each.name], each.data_type)
    typed[registry.key] = _typed(frame[registry.key], "string")
    typed.insert(1, EVENT_TIMESTAMP, pd.Timestamp(event_timestamp).as_unit("us"))
    typed.insert(2, FEATURE_VERSION, pd.Series(registry.version, index=typed.index, dtype="str"))
    return typed.sort_values([registry.key], kind="stable", ignore_index=True)


def _require_columns(found: Iterable[str], wanted: list[str], *, how: str, remedy: str) -> None:
    there = set(found)
    unknown = sorted(there - set(wanted))
    lacking = [name for name in wanted if name not in there]
    if unknown or lacking:
        parts = [f"not in the registry: {', '.join(unknown)}"] if unknown else []
        parts += [f"not {how}: {', '.join(lacking)}"] if lacking else []
        raise TableSchemaError(f"Registry and features differ; {'; '.join(parts)}", remedy)


def _typed(values: pd.Series[Any], kind: str) -> pd.Series[Any]:
    if values.isna().any():
        raise PayloadError(
            f"The feature {values.name!r} is missing in {int(values.isna().sum())} rows",
            "Prepare the rows so that it can be computed",
        )
    try:
        typed: pd.Series[Any] = values.astype(_PANDAS[kind])  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        raise PayloadError(f"The feature {values.name!r} is no {kind}: {error}") from error
    # Pandas cuts 1.5 to 1, and takes any text for true.
    if kind in _EXACT and not (typed == values).all():
        raise PayloadError(
            f"The feature {values.name!r} is no {kind} in every row", "Correct how it is computed"
        )
    if kind == "float" and not np.isfinite(typed).all():
        raise PayloadError(
            f"The feature {values.name!r} is not a finite number", "Correct how it is computed"
        )
    return typed


def write_features(
    lake: Lake,
    table: str,
    rows: pd.DataFrame,
    registry: FeatureRegistry,
    info: WriteInfo,
    *,
    created_at: dt.datetime,
) -> MergeCounts:
    """Merge rows of one time into a table, by key and time, in one commit.

    Keys that the table has at this time and the rows have not are deleted; rows of other times stay
    as they are.

    Args:
        lake: Where the table is, or will be.
        table: Its name.
        rows: As `feature_rows` gives them, unique by key.
        registry: What the table's columns are.
        info: What the commit's metadata says.
        created_at: The time of writing.

    Raises:
        TableSchemaError: The table has a column that the registry has not. No retry.
        TableConflictError: Another writer committed first. A retry helps.
        StoreError: It cannot be written.
    """
    if lake.exists(table):
        names = [registry.key, *OWN_COLUMNS, *(each.name for each in registry.entries)]
        there = columns_of(lake.open(table))
        _require_columns(
            there,
            [name for name in names if name in there],
            how="in the table",
            remedy="The rows there have it: list it, or give `table` another name",
        )
    written = rows.copy()
    written.insert(2, CREATED_AT, pd.Timestamp(created_at).as_unit("us"))
    (moment,) = rows[EVENT_TIMESTAMP].unique()
    return merge(
        lake,
        table,
        written,
        info,
        key=(registry.key, EVENT_TIMESTAMP),
        delete_missing=f"t.{_is_at(moment)}",
    )


def digest_at(
    lake: Lake, table: str, registry: FeatureRegistry, event_timestamp: dt.datetime
) -> str:
    """Give the digest of the rows that a table has of one time, whenever they were written.

    Raises:
        StoreError: The table cannot be read.
    """
    schema = feature_schema(registry)
    names = ", ".join(map(quoted, schema.names))
    where = _is_at(event_timestamp)
    rows = lake.query(f"SELECT {names} FROM t WHERE {where}", {"t": table})  # noqa: S608
    return table_digest(rows, schema)


def _is_at(moment: dt.datetime) -> str:
    return f"{quoted(EVENT_TIMESTAMP)} = {_timestamp(moment)}"


def _timestamp(moment: dt.datetime) -> str:
    return f"TIMESTAMP {literal(rfc3339(moment))}"


def get_features(
    lake: Lake,
    table: str,
    registry: FeatureRegistry,
    names: Iterable[str],
    *,
    as_of: dt.datetime | None = None,
) -> pd.DataFrame:
    """Read features as they were known at a time: of each key its newest row up to then.

    Args:
        lake: Where the table is.
        table: Its name.
        registry: What its columns are.
        names: Features; none for all.
        as_of: The time (aware); None for the newest rows.

    Returns:
        The key, ``event_timestamp`` and the features, ordered by key; no row where no key had one.

    Raises:
        UnknownNameError: There is no such feature. No retry.
        StoreError: The table cannot be read.
    """
    columns = [each.name for each in registry.chosen(names)] or [*registry.names]
    key, time = quoted(registry.key), quoted(EVENT_TIMESTAMP)
    until = f"WHERE {time} <= {_timestamp(as_of)}" if as_of else ""
    listed = ", ".join([key, time, *map(quoted, columns)])
    return lake.query(
        f"SELECT {listed} FROM (SELECT *, row_number() OVER (PARTITION BY {key} "  # noqa: S608
        f"ORDER BY {time} DESC) AS newest FROM t {until}) WHERE newest = 1 ORDER BY {key}",
        {"t": table},
    )


def features_for(
    lake: Lake,
    table: str,
    registry: FeatureRegistry,
    names: Iterable[str],
    *,
    labels: pd.DataFrame,
    tolerance: dt.timedelta | None = None,
) -> pd.DataFrame:
    """Join labels with the features that were known when each label was.

    Args:
        lake: Where the table is.
        table: Its name.
        registry: What its columns are.
        names: Features; none for all.
        labels: The key, ``event_timestamp`` (aware, when the label was observed) and what else.
        tolerance: Older features than that count as unknown; None for any age.

    Returns:
        The labels, in their order, with the features; those that were not known are missing.

    Raises:
        UnknownNameError: There is no such feature. No retry.
        PayloadError: The labels lack the key or an aware time, or have a feature's column. No
            retry.
        StoreError: The table cannot be read.
    """
    columns = [each.name for each in registry.chosen(names)] or [*registry.names]
    kind = labels.dtypes.get(EVENT_TIMESTAMP)
    if registry.key not in labels or not isinstance(kind, pd.DatetimeTZDtype):
        raise PayloadError(
            f"Labels need {registry.key} and {EVENT_TIMESTAMP} with a zone", "Add them"
        )
    if labels[EVENT_TIMESTAMP].isna().any():
        raise PayloadError(f"A label has no {EVENT_TIMESTAMP}", "Say when it was observed")
    if twice := sorted({*columns} & {*labels.columns}):
        raise PayloadError(f"Labels have features already: {', '.join(twice)}", "Rename them")
    found = lake.read(table, columns=[registry.key, EVENT_TIMESTAMP, *columns])
    place = "_place"
    joined = pd.merge_asof(
        _in_order(labels.assign(**{place: range(len(labels))})),
        _in_order(found),
        on=EVENT_TIMESTAMP,
        by=registry.key,
        tolerance=None if tolerance is None else pd.Timedelta(tolerance),
        direction="backward",
    )
    ordered = joined.sort_values(place, ignore_index=True).drop(columns=place)
    return ordered.set_axis(labels.index)


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort by time, with one unit of time and one type of key, as `merge_asof` asks."""
    times = frame[EVENT_TIMESTAMP].dt.tz_convert("UTC").dt.as_unit("us")
    return frame.assign(**{EVENT_TIMESTAMP: times}).sort_values(EVENT_TIMESTAMP, kind="stable")
