"""From stored bytes to typed, deduplicated, partitioned Parquet; every row is accounted for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core import column_types, html, readers, tables
from airnub_prefect_starter.core.column_types import parse_column
from airnub_prefect_starter.core.derivation import (
    REJECTED,
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    read_inputs,
)
from airnub_prefect_starter.core.http.document import decode
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedOutput,
    DerivedResult,
    FetchManifest,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.readers import READERS
from airnub_prefect_starter.core.steps import ProcessingStep
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.store import MAX_READ_BYTES
from airnub_prefect_starter.core.table_schema import TableSchema
from airnub_prefect_starter.core.tables import (
    PARQUET,
    partition,
    table_digest,
    write_parquet,
)

_PROBLEMS = ("column", "value", "reason")


@dataclass(frozen=True)
class CleanResult:
    """What became of the rows.

    Attributes:
        accepted: The schema's columns, typed, sorted by key.
        rejected: One line per problem, in order of rows; columns are those of the raw frame's
            index (such as ``row``), then ``column``, ``value`` and ``reason``.
        duplicates: Rows whose key stands in an earlier row, typed, under the raw frame's index.
        counts: Rows in, out, rejected and duplicate.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    duplicates: pd.DataFrame
    counts: RowCounts


def clean(raw: pd.DataFrame, schema: TableSchema) -> CleanResult:
    """Type a frame of text, reject the rows that do not fit, and drop repeated keys.

    A row with any problem is rejected with all its problems. Of the good rows with one key the
    first is kept.

    Args:
        raw: What a reader returns; its index names the rows.
        schema: What the rows must be.

    Raises:
        PayloadError: The rows do not add up, which is a defect of this function. No retry.
    """
    parsed = {
        column.name: parse_column(raw[column.name], column, schema.na_values)
        for column in schema.columns
    }
    typed = pd.DataFrame({name: each.values for name, each in parsed.items()}, index=raw.index)
    problems = [
        _Problem(np.flatnonzero(mask), name, reason)
        for name, each in parsed.items()
        for mask, reason in each.problems
    ]
    bad = np.zeros(len(raw), dtype=bool)
    for problem in problems:
        bad[problem.positions] = True
    good = typed[~bad]
    repeated = good.duplicated(subset=list(schema.key), keep="first")
    accepted = good[~repeated].sort_values(list(schema.key), kind="stable", ignore_index=True)
    counts = _count(raw, accepted, bad, repeated)
    return CleanResult(accepted, _explain(raw, problems), good[repeated], counts)


@dataclass(frozen=True)
class _Problem:
    positions: NDArray[np.intp]
    column: str
    reason: str


def _count(
    raw: pd.DataFrame, accepted: pd.DataFrame, bad: NDArray[np.bool_], repeated: pd.Series[bool]
) -> RowCounts:
    counts = RowCounts(
        rows_in=len(raw),
        rows_out=len(accepted),
        rejected=int(bad.sum()),
        duplicates=int(repeated.sum()),
    )
    if not counts.reconciles():
        raise PayloadError(f"Rows do not reconcile: {counts!r}", "Report this as a bug")
    return counts


def _explain(raw: pd.DataFrame, problems: list[_Problem]) -> pd.DataFrame:
    rows = [_explain_one(raw, problem) for problem in problems]
    if not rows:
        empty = raw.index[:0].to_frame(index=False)
        return empty.assign(**dict.fromkeys(_PROBLEMS, pd.Series([], dtype="str")))
    order = np.argsort(np.concatenate([each.positions for each in problems]), kind="stable")
    return pd.concat(rows, ignore_index=True).iloc[order].reset_index(drop=True)


def _explain_one(raw: pd.DataFrame, problem: _Problem) -> pd.DataFrame:
    where = raw.index.take(problem.positions).to_frame(index=False)
    values = raw[problem.column].iloc[problem.positions].reset_index(drop=True)
    return where.assign(column=problem.column, value=values, reason=problem.reason)


def core_process_and_store(
    store: Store, step: ProcessingStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Read refs, clean their rows as one table, and store it as Parquet with its lineage.

    One blob per partition (``<partition>.parquet``) and, where rows were rejected,
    ``rejected.parquet``. Nothing is done where inputs, schema and code are those of the last run.

    Raises:
        ObjectNotFoundError: An input ref is missing; run ingestion first. No retry.
        PayloadError: An input is not of the promised format, or too many rows are rejected. No
            retry.
        TooLargeError: An input is too large to be read into memory. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    parameters = {
        "code": code_digest(tables, readers, html, column_types, sys.modules[__name__]),
        "reader": step.reader,
        "source_column": step.source_column,
        "table": step.table.model_dump(mode="json", exclude_none=True),
    }
    inputs = read_inputs(store, step.inputs)
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        # The limit is no part of what the table is made of: a stricter one must be met all the same
        refuse_mostly_bad(step, unchanged.rows, f"see {REJECTED} of {namespace}/{step.source_id}")
        return unchanged
    result = clean(read_rows(store, inputs, step), step.table)
    refuse_mostly_bad(step, result.counts, first_problem(result))
    return commit(
        store,
        derivation,
        _put_tables(store, result, step.table),
        rows=result.counts,
        table_digest=table_digest(result.accepted, step.table),
        run=run or RunInfo(),
    )


def read_rows(store: Store, inputs: tuple[DerivedInput, ...], step: ProcessingStep) -> pd.DataFrame:
    """Read all inputs as one frame of text, whose index says where each row comes from.

    Raises:
        PayloadError: An input is not of the promised format; it is named. No retry.
        StoreError: The store cannot be read.
    """
    frames = [_read_one(store, each, step) for each in inputs]
    names = [f"{each.namespace}/{each.source_id}" for each in inputs]
    return pd.concat(frames, keys=names, names=["input", "row"])


def _read_one(store: Store, given: DerivedInput, step: ProcessingStep) -> pd.DataFrame:
    schema = step.table.without(step.source_column)
    try:
        frame = READERS[step.reader](content_of(store, given), schema)
    except PayloadError as error:
        name = f"{given.namespace}/{given.source_id}"
        raise PayloadError(f"{name}: {error.message}", error.remedy) from error
    if step.source_column is None:
        return frame
    source = pd.Series(given.source_id, index=frame.index, dtype="str")
    return frame.assign(**{step.source_column: source})


def content_of(store: Store, given: DerivedInput) -> bytes:
    """Read an input; a file that came compressed unasked is stored so, and unpacked here."""
    raw = store.read_blob(given.blob)
    manifest = store.manifest(given.manifest)
    if not isinstance(manifest, FetchManifest):
        return raw
    source = manifest.source
    return decode(raw, source.content_encoding, source.final_url, MAX_READ_BYTES)


def refuse_mostly_bad(step: ProcessingStep, counts: RowCounts | None, example: str) -> None:
    """Refuse a table of which more rows are rejected than its step allows.

    Raises:
        PayloadError: It is one. No retry.
    """
    if counts is None or counts.rejected * 100 <= step.max_rejected_percent * counts.rows_in:
        return
    raise PayloadError(
        f"{step.source_id}: {counts.rejected} of {counts.rows_in} rows are rejected, more than "
        f"{step.max_rejected_percent} %; {example}",
        "Correct the schema, or the source, or max_rejected_percent",
    )


def first_problem(result: CleanResult) -> str:
    """Describe the first rejected row, if there is one."""
    if result.rejected.empty:
        return ""
    first = result.rejected.iloc[0]
    return (
        f"the first: {first['input']} row {first['row']}, "
        f"{first['column']} {str(first['value'])[:80]!r} {first['reason']}"
    )


def _put_tables(store: Store, result: CleanResult, schema: TableSchema) -> Iterator[DerivedOutput]:
    files = {
        f"{name}.parquet": rows
        for name, rows in partition(result.accepted, schema.partition_by).items()
    }
    if not result.rejected.empty:
        files[REJECTED] = result.rejected
    for name, rows in files.items():
        blob, _ = store.put_bytes(write_parquet(rows), media_type=PARQUET)
        yield DerivedOutput(name=name, blob=blob)
