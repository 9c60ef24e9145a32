"""From silver tables to gold: aggregates by SQL, each a table of its own with its lineage."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import pandas as pd
from deltalake import DeltaTable

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.derivation import Derivation, code_digest, read_inputs
from airnub_prefect_starter.core.lake import queries
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.lake import Lake, quoted
from airnub_prefect_starter.core.lake.queries import select
from airnub_prefect_starter.core.lake.snapshots import (
    commit_snapshot,
    find_snapshot,
    find_unchanged_table,
    parse_snapshot,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedResult,
    RunInfo,
    canonical_json,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest


def core_make_gold(
    store: Store, step: GoldStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Compute a gold table of the versions of silver tables that their refs name, and commit it.

    Nothing is done where inputs, SQL and code are those of the last run and the table is there.

    Raises:
        ObjectNotFoundError: A silver table's ref is missing; run its step first. No retry.
        ConfigError: The SQL is wrong, or its result has no such key. No retry.
        TableConflictError: Another writer committed first. A retry helps.
        StoreError: A table cannot be read or written; retry where it is transient.
    """
    run = run or RunInfo()
    inputs = {name: read_inputs(store, [ref]) for name, ref in sorted(step.tables.items())}
    everything = tuple(each for found in inputs.values() for each in found)
    parameters = {
        "code": code_digest(queries, sys.modules[__name__]),
        "key": list(step.key),
        "sql": step.sql,
        "tables": dict(step.tables),
    }
    derivation = Derivation(namespace, step.source_id, everything, parameters)
    unchanged = find_unchanged_table(store, derivation, step.table)
    if unchanged:
        return unchanged
    lake = Lake.of(store)
    frame = _aggregate(step, _opened(store, lake, inputs))
    info = WriteInfo(run, _digest_of(everything))
    overwrite(lake, step.table, frame, info, schema_change=True)
    before = find_snapshot(store, f"{namespace}/{step.source_id}")
    snapshot = take_snapshot(lake, step.table, key=step.key, previous=before)
    return commit_snapshot(store, derivation, snapshot, run=run)


def _opened(
    store: Store, lake: Lake, inputs: Mapping[str, Iterable[DerivedInput]]
) -> dict[str, DeltaTable]:
    """Open tables at the versions of their snapshots, whoever writes to them meanwhile."""
    opened = {}
    for name, (given, *_) in inputs.items():
        snapshot = parse_snapshot(store, given.blob)
        opened[name] = lake.open(snapshot.table, version=snapshot.version)
    return opened


def _aggregate(step: GoldStep, tables: Mapping[str, DeltaTable]) -> pd.DataFrame:
    what = f"The SQL of {step.table}"
    order = ", ".join(map(quoted, step.key))
    frame = select(
        f"WITH gold AS (\n{step.sql}\n) SELECT * FROM gold ORDER BY {order}", tables, what=what
    )
    keys = frame[list(step.key)]
    if keys.isna().any(axis=None) or keys.duplicated().any():
        wrong = "missing values" if keys.isna().any(axis=None) else "rows with equal ones"
        raise ConfigError(f"{what}: the key {', '.join(step.key)} has {wrong}", "Group by the key")
    return frame


def _digest_of(inputs: Iterable[DerivedInput]) -> str:
    return Digest.of(canonical_json([each.blob for each in inputs])).text
