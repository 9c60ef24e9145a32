"""Preparation: the accepted sources as one typed table, sorted by customer; no row lost or made.

Rows that are alike but for their ``customerID`` are different customers and stay.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import pandas as pd

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core import column_types, data_cleaning, readers, tables
from airnub_prefect_starter.core.churn import columns, sources, telco
from airnub_prefect_starter.core.churn.columns import (
    KEY,
    NAMES,
    POSITIVE,
    SPLITS,
    TARGET,
    columns_of,
)
from airnub_prefect_starter.core.churn.findings import Validation
from airnub_prefect_starter.core.churn.sources import merge_parts, read_source
from airnub_prefect_starter.core.churn.steps import PreparationStep
from airnub_prefect_starter.core.churn.telco import schema_of
from airnub_prefect_starter.core.data_cleaning import clean
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    read_inputs,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.markdown import escape_markdown, frame_table
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import PARQUET, read_parquet, table_digest, write_parquet

PREPARED = "prepared.parquet"
_MODULES = (columns, sources, telco, data_cleaning, column_types, readers, tables)


def core_prepare_customers(
    store: Store, step: PreparationStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Merge what validation accepted, from the very bytes that it saw, into one table.

    Raises:
        ObjectNotFoundError: Nothing was validated yet. No retry before that stage has run.
        PayloadError: Rows do not add up: the contract and this module disagree. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    (validated,) = read_inputs(store, [step.input])
    inputs = (validated, *_accepted(store, step.input, validated))
    parameters = {"code": code_digest(*_MODULES, sys.modules[__name__])}
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    raw = {each.source_id: read_source(store, each) for each in inputs[1:]}
    prepared = prepare(raw)
    blob, _ = store.put_bytes(write_parquet(prepared), media_type=PARQUET)
    first, *_ = SPLITS  # the parts are one table
    rows_in = sum(len(rows) for name, rows in raw.items() if name == first or name not in SPLITS)
    return commit(
        store,
        derivation,
        [DerivedOutput(name=PREPARED, blob=blob)],
        rows=RowCounts(rows_in=rows_in, rows_out=len(prepared), rejected=0, duplicates=0),
        table_digest=table_digest(prepared, schema_of()),
        run=run or RunInfo(),
    )


def prepare(raw: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Merge the parts, append the feeds, and give a total to who was never billed.

    Args:
        raw: Name of each accepted source → its rows as text.

    Returns:
        The published columns in their order, sorted by ``customerID``; ``TotalCharges`` is 0.0
        where ``tenure`` is 0.

    Raises:
        PayloadError: A row does not fit its contract, or rows do not add up. No retry.
    """
    typed = {name: _typed(name, rows) for name, rows in raw.items()}
    parts = {name: typed[name] for name in SPLITS}
    feeds = [rows[list(NAMES)] for name, rows in typed.items() if name not in SPLITS]
    merged = merge_parts(parts)
    for name, part in parts.items():
        if len(part) != len(merged):
            raise PayloadError(
                f"{name} has {len(part)} customers, all parts together {len(merged)}",
                "Run validation again: every part must have every customer",
            )
    whole = pd.concat([merged, *feeds], ignore_index=True)
    billed = whole["TotalCharges"].mask(whole["tenure"] == 0, 0.0)
    return whole.assign(TotalCharges=billed).sort_values(KEY, kind="stable", ignore_index=True)


def read_prepared(store: Store, result: DerivedResult) -> pd.DataFrame:
    """Read the table of a result.

    Raises:
        StoreError: It is missing or corrupt. No retry.
    """
    (output,) = result.outputs
    return read_parquet(store.read_blob(output.blob.digest))


def churn_by_segment(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count who left, per value of a column.

    Returns:
        One row per value, most churn first: the value, ``customers``, ``left``, ``churn_percent``.
    """
    left = (table[TARGET] == POSITIVE).groupby(table[column])
    counted = left.agg(["size", "sum"]).set_axis(["customers", "left"], axis=1).reset_index()
    percent = 100 * counted["left"] / counted["customers"]
    ordered = counted.assign(churn_percent=percent).sort_values("churn_percent", ascending=False)
    return ordered.reset_index(drop=True)


def segments_markdown(title: str, table: pd.DataFrame, columns: Iterable[str]) -> str:
    """Show who left, in all and by each column.

    Raises:
        ConfigError: The table has no such column. No retry.
    """
    left = int((table[TARGET] == POSITIVE).sum())
    share = f"{100 * left / max(len(table), 1):.2f} %"
    parts = [
        f"# {escape_markdown(title)}: churn by segment",
        f"**{left:,} of {len(table):,} customers left, {share}.**",
    ]
    for column in columns:
        if column not in table:
            raise ConfigError(f"There is no column {column!r}", "Correct `segments`")
        parts += [f"## {escape_markdown(column)}", frame_table(churn_by_segment(table, column))]
    return "\n\n".join(parts)


def _typed(name: str, raw: pd.DataFrame) -> pd.DataFrame:
    cleaned = clean(raw, schema_of(columns_of(name)))
    if cleaned.counts.rows_out != len(raw):
        raise PayloadError(
            f"{name}: {cleaned.counts.rejected} rows do not fit and "
            f"{cleaned.counts.duplicates} stand twice, though its contract was checked",
            "Report this as a bug",
        )
    return cleaned.accepted


def _accepted(store: Store, ref: str, validated: DerivedInput) -> tuple[DerivedInput, ...]:
    manifest = store.manifest(validated.manifest)
    if not isinstance(manifest, DerivedManifest):
        raise ObjectNotFoundError(f"{ref} is not what validation writes", "Correct the input")
    names = Validation.model_validate_json(store.read_blob(validated.blob)).accepted
    return tuple(each for each in manifest.inputs if each.source_id in names)
