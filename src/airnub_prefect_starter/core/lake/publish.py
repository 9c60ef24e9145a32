"""From gold tables to the warehouse: the version that a snapshot names, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd
from pydantic import SecretStr

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import TableSnapshot, read_snapshot
from airnub_prefect_starter.core.lake.time_travel import find_commit, read_as_of
from airnub_prefect_starter.core.lake.warehouse import (
    Publication,
    TableVersion,
    open_target,
    rows_of_frame,
)
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store


def core_publish_table(
    store: Store,
    table: PublishedTable,
    warehouse: Warehouse,
    *,
    password: SecretStr | None = None,
    run: RunInfo | None = None,
) -> Publication:
    """Bring a table of the warehouse to the rows that a snapshot names, unless it has them.

    Raises:
        ObjectNotFoundError: The snapshot's step was not run yet. No retry.
        WarehouseUnavailableError: The database cannot be reached or was lost. A retry may help.
        WarehouseError: It refuses. No retry.
        StoreError: The rows cannot be read; retry where it is transient.
    """
    with open_target(warehouse, table, password) as target:
        # Read when it is our turn: an older version must not replace what came meanwhile.
        snapshot = read_snapshot(store, table.input)
        version = TableVersion(snapshot.columns, snapshot.version, snapshot.digest)
        rows = target.rows_of(version)
        outcome: Literal["stored", "not_modified"] = "not_modified"
        if rows is None:
            frame = _read(store, snapshot)
            columns = {str(name): snapshot.columns[name] for name in frame.columns}
            version = replace(version, columns=columns)
            rows = target.replace(version, rows_of_frame(frame), run or RunInfo())
            outcome = "stored"
    return Publication(
        name=table.name,
        outcome=outcome,
        version=snapshot.version,
        rows=rows,
        table_digest=snapshot.digest,
    )


def _read(store: Store, snapshot: TableSnapshot) -> pd.DataFrame:
    lake = Lake.of(store)
    return read_as_of(lake, snapshot.table, find_commit(lake, snapshot.table, snapshot.version))
