"""Queries that people write; what is wrong with one is a mistake of its author."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from deltalake import DeltaTable

from airnub_prefect_starter.common.errors import ConfigError, TableSchemaError
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.gold_steps import check_select
from airnub_prefect_starter.core.lake.lake import run_sql
from airnub_prefect_starter.core.tables import to_pandas


def select(sql: str, tables: Mapping[str, DeltaTable], *, what: str) -> pd.DataFrame:
    """Run a query and hold its result.

    Args:
        sql: What DataFusion understands.
        tables: Opened tables by their name in the SQL.
        what: How messages call the query.

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
            return to_pandas(run_sql(sql, tables))
    except TableSchemaError as error:
        reason = error.message.partition(" failed: ")[2]
        known = ", ".join(sorted(tables))
        raise ConfigError(f"{what}: {reason}", f"Correct the SQL; its tables: {known}") from error
