"""Queries that people write; what is wrong with one is a mistake of its author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from airnub_prefect_starter.common.errors import ConfigError, TableSchemaError
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.gold_steps import check_select
from airnub_prefect_starter.core.lake.lake import run_sql
from airnub_prefect_starter.core.tables import to_pandas


def select(
    sql: str, tables: Mapping[str, DeltaTable], *, what: str, limit: int | None = None
) -> pd.DataFrame:
    """Run a query and hold its result.

    Args:
        sql: What DataFusion understands.
        tables: Opened tables by their name in the SQL.
        what: How messages call the query.
        limit: Most rows to read, as they come; None for all.

    Raises:
        ConfigError: It is not a query, or DataFusion refuses it. No retry.
        StoreError: A table cannot be read.
    """
    try:
        check_select(sql)
    except ValueError as error:
        raise ConfigError(f"{what}: the SQL {error}", "Only read") from None
    try:
        with translated(what):
            reader = run_sql(sql, tables)
            return to_pandas(reader if limit is None else _first(reader, limit))
    except TableSchemaError as error:
        reason = error.message.partition(" failed: ")[2]
        known = ", ".join(sorted(tables))
        raise ConfigError(f"{what}: {reason}", f"Correct the SQL; its tables: {known}") from error


def _first(reader: Any, limit: int) -> Any:
    """Read no more batches than the first rows need."""
    batches: list[Any] = []
    while sum(each.num_rows for each in batches) < limit:
        try:
            batches.append(reader.read_next_batch())
        except StopIteration:
            break
    return pa.Table.from_batches(batches, schema=reader.schema).slice(0, limit)
