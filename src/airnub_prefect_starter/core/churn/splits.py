"""The churn table as the three systems have it that know a customer: split by columns."""

from __future__ import annotations

import sys

import pandas as pd

from airnub_prefect_starter.core import readers
from airnub_prefect_starter.core.churn import columns, sources, telco
from airnub_prefect_starter.core.churn.columns import SPLITS
from airnub_prefect_starter.core.churn.sources import read_columns
from airnub_prefect_starter.core.churn.steps import SplitStep
from airnub_prefect_starter.core.data_cleaning import content_of
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    read_inputs,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedOutput,
    DerivedResult,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.store import Store

CSV = "text/csv"


def core_split_table(
    store: Store, step: SplitStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Keep the columns of one part of the table as CSV, values and order of rows as received.

    Raises:
        ObjectNotFoundError: The table is not in the store; fetch it first. No retry.
        PayloadError: It is no CSV, or a column is missing; the message names it. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    kept = SPLITS[step.source_id]
    parameters = {
        "code": code_digest(readers, columns, sources, telco, sys.modules[__name__]),
        "columns": list(kept),
    }
    inputs = read_inputs(store, [step.input])
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    frame = read_columns(content_of(store, inputs[0]), kept, step.input)
    blob, _ = store.put_bytes(to_csv(frame), media_type=CSV)
    rows = len(frame)
    return commit(
        store,
        derivation,
        [DerivedOutput(name=f"{step.source_id}.csv", blob=blob)],
        rows=RowCounts(rows_in=rows, rows_out=rows, rejected=0, duplicates=0),
        run=run or RunInfo(),
    )


def to_csv(frame: pd.DataFrame) -> bytes:
    """Write text as CSV with a header, no value changed."""
    return frame.to_csv(index=False, lineterminator="\n").encode()
