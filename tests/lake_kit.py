"""Tables of a lake for tests: written as a step writes them, with a snapshot and its ref."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from airnub_prefect_starter.core.derivation import Derivation, split_ref
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import commit_snapshot, take_snapshot
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import DerivedResult, RunInfo
from airnub_prefect_starter.core.store import Store

NAMESPACE = "processing.lake_etl"
RUN = RunInfo(flow_run_id="run-1")


def ref_of(table: str) -> str:
    """Name the ref of a table's snapshot: ``processing.lake_etl/silver.flights``."""
    return f"{NAMESPACE}/{table.replace('/', '.')}"


def put_table(
    store: Store, table: str, frame: pd.DataFrame, key: Sequence[str], *, run: RunInfo = RUN
) -> DerivedResult:
    """Make a table of these rows, or replace those that it has, and point its ref at it."""
    lake = Lake.of(store)
    version = overwrite(lake, table, frame, WriteInfo(run, "sha256:test"), schema_change=True)
    snapshot = take_snapshot(lake, table, key=key)
    namespace, source_id = split_ref(ref_of(table))
    made = Derivation(namespace, source_id, (), {"version": version})
    return commit_snapshot(store, made, snapshot, run=run)
