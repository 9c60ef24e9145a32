"""Landed files of any shape as two tables: bronze as they were received, silver inferred.

There is no contract: a column has the narrowest type that all its values fit. Rows are told apart
before columns of lineage are added, so that the same row in two files is one row.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from airnub_prefect_starter.common.errors import ConfigError, PayloadError, TooLargeError
from airnub_prefect_starter.core import column_types, readers
from airnub_prefect_starter.core.column_types import parse_column
from airnub_prefect_starter.core.derivation import Derivation, code_digest, read_inputs
from airnub_prefect_starter.core.json_text import canonical_line, parse_json
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import (
    commit_snapshot,
    find_unchanged_table,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.steps import BATCH, BLOB, ROW, ReaderName
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedResult,
    RowCounts,
    RunInfo,
    SourceResult,
    canonical_json,
)
from airnub_prefect_starter.core.object_listing import ListedObject
from airnub_prefect_starter.core.readers import read_whole
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import REFS, ref_name
from airnub_prefect_starter.core.table_schema import Column, ColumnType

FILE, MODIFIED, SIZE = "_file", "_modified", "_size"
LINEAGE = (BATCH, BLOB, ROW, FILE, MODIFIED, SIZE)
_READERS: Mapping[str, ReaderName] = {
    "csv": "csv",
    "json": "json_lines",
    "jsonl": "json_lines",
    "ndjson": "json_lines",
    "parquet": "parquet",
}
_NARROWEST_FIRST: tuple[ColumnType, ...] = ("int", "float", "timestamp", "date")
_NA = ("", "NA")


@dataclass(frozen=True)
class ObjectTable:
    """What became of the files.

    Attributes:
        bronze: All rows of the files that could be read.
        silver: Distinct rows, typed.
        unreadable: Name of each other file → why.
    """

    bronze: DerivedResult
    silver: DerivedResult
    unreadable: Mapping[str, str]


def core_make_object_table(
    store: Store,
    table: str,
    items: Sequence[ListedObject],
    *,
    landed: Sequence[SourceResult],
    namespace: str,
    run: RunInfo,
) -> ObjectTable:
    """Make ``bronze/<table>`` and ``silver/<table>`` of landed files, each in one commit.

    A file that cannot be read is in ``quarantine/<table>`` with the reason; its bytes are in the
    store all the same. Its caller decides that this is a failure.

    Args:
        store: Where the files are, and the tables go.
        table: Name of the tables.
        items: The files.
        landed: What became of each; its ref may lead to another run's file of the same name by now.
        namespace: Namespace of the tables' refs.
        run: Which run this is.

    Raises:
        ConfigError: Another category makes a table of this name. No retry.
        PayloadError: No file can be read, or none has rows. No retry.
        TableConflictError: Another run wrote at the same moment. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    work = _Work(store, table, namespace, run)
    work.refuse_table_of_another()
    inputs = {item.name: _input(each) for item, each in zip(items, landed, strict=True)}
    parts, unreadable = _read_all(store, items, inputs)
    work.quarantine(unreadable, inputs)
    if len(unreadable) == len(items):
        raise PayloadError(f"No file of {table} can be read: {named(unreadable)}", _REMEDY)
    bronze = work.bronze(tuple(inputs.values()), parts)
    return ObjectTable(bronze, work.silver(parts), unreadable)


def named(unreadable: Mapping[str, str]) -> str:
    """Name files with what is wrong with them, on one line."""
    return "; ".join(f"{name}: {why.rstrip('.')}" for name, why in unreadable.items())


def distinct(rows: pd.DataFrame) -> tuple[pd.DataFrame, RowCounts]:
    """Type columns, and drop empty rows and those that an earlier one equals.

    Args:
        rows: Text, with the columns of `LINEAGE`, in order of files and lines.

    Returns:
        The rows that are left, with their own lineage, and what became of the others.
    """
    names = [name for name in rows if name not in LINEAGE]
    typed = pd.DataFrame({name: _inferred(rows[name]) for name in names}, index=rows.index)
    empty = typed.isna().all(axis=1)
    repeated = typed.duplicated(keep="first") & ~empty
    kept = pd.concat([typed, rows[list(LINEAGE)]], axis=1)[~(empty | repeated)]
    counts = RowCounts(
        rows_in=len(rows),
        rows_out=len(kept),
        rejected=int(empty.sum()),
        duplicates=int(repeated.sum()),
    )
    return kept.reset_index(drop=True), counts


_REMEDY = "See quarantine/ of the lake; the bytes are in the store"


@dataclass(frozen=True)
class _Work:
    store: Store
    table: str
    namespace: str
    run: RunInfo

    def refuse_table_of_another(self) -> None:
        ours = {f"bronze.{self.table}", f"silver.{self.table}"}
        for stat in self.store.backend.list(REFS):
            namespace, source_id = ref_name(stat.key)
            if source_id in ours and namespace != self.namespace:
                raise ConfigError(
                    f"{namespace} makes the table {self.table}", "Give --table another name"
                )

    def bronze(self, inputs: tuple[DerivedInput, ...], rows: pd.DataFrame) -> DerivedResult:
        counts = RowCounts(rows_in=len(rows), rows_out=len(rows), rejected=0, duplicates=0)
        return self._commit("bronze", inputs, rows, counts)

    def silver(self, rows: pd.DataFrame) -> DerivedResult:
        inputs = read_inputs(self.store, [f"{self.namespace}/bronze.{self.table}"])
        return self._commit("silver", inputs, *distinct(rows))

    def quarantine(self, unreadable: Mapping[str, str], inputs: Mapping[str, DerivedInput]) -> None:
        lake, table = Lake.of(self.store), f"quarantine/{self.table}"
        if not unreadable and not lake.exists(table):
            return
        rows = pd.DataFrame(
            {
                FILE: list(unreadable),
                BLOB: [inputs[name].blob for name in unreadable],
                "rule": "can be read",
                "reason": list(unreadable.values()),
                "run_id": self.run.flow_run_id,
            },
            dtype="str",
        )
        lake.require_commits(table, "many")
        overwrite(lake, table, rows, WriteInfo(self.run, _digest(inputs.values())))

    def _commit(
        self, layer: str, inputs: tuple[DerivedInput, ...], rows: pd.DataFrame, counts: RowCounts
    ) -> DerivedResult:
        table, lake = f"{layer}/{self.table}", Lake.of(self.store)
        parameters = {"code": code_digest(column_types, readers, sys.modules[__name__])}
        derivation = Derivation(self.namespace, f"{layer}.{self.table}", inputs, parameters)
        unchanged = find_unchanged_table(self.store, derivation, table)
        if unchanged:
            return unchanged
        lake.require_commits(table, "many")
        overwrite(lake, table, rows, WriteInfo(self.run, _digest(inputs)), schema_change=True)
        snapshot = take_snapshot(lake, table, key=(FILE, ROW))
        return commit_snapshot(self.store, derivation, snapshot, rows=counts, run=self.run)


def _read_all(
    store: Store, items: Sequence[ListedObject], inputs: Mapping[str, DerivedInput]
) -> tuple[pd.DataFrame, dict[str, str]]:
    frames, unreadable = [], {}
    for item in items:
        try:
            frames.append(_read(store, item, inputs[item.name]))
        except (PayloadError, TooLargeError) as error:
            unreadable[item.name] = error.message
    if not frames:
        return pd.DataFrame(), unreadable
    return pd.concat(frames, ignore_index=True), unreadable


def _read(store: Store, item: ListedObject, given: DerivedInput) -> pd.DataFrame:
    kind = item.name.rpartition(".")[2].lower()
    if kind not in _READERS:
        raise PayloadError(f"it is none of {', '.join(_READERS)}", "Convert it")
    reader, raw = _READERS[kind], store.read_blob(given.blob)
    if not raw.strip():
        raise PayloadError("it is empty", "Upload it again")
    raw = _as_lines(raw, item.name) if kind == "json" else raw
    frame = read_whole(raw, reader, LINEAGE)
    lineage: dict[str, Any] = {
        BATCH: given.source_id,
        BLOB: given.blob,
        ROW: frame.index.astype("int64"),
        FILE: item.name,
        MODIFIED: pd.Timestamp(item.modified).as_unit("us"),
        SIZE: item.size,
    }
    return frame.assign(**lineage).reset_index(drop=True)


def _as_lines(raw: bytes, name: str) -> bytes:
    """Give a JSON list of objects, or one object, as lines; lines stay as they are."""
    if raw.lstrip()[:1] != b"[" and b"\n" in raw.strip():
        return raw
    value = parse_json(raw, name)
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in items):
        raise PayloadError("it is no list of objects", "Upload another form")
    return b"".join(canonical_line(each, name) for each in items)


def _inferred(text: pd.Series[Any]) -> pd.Series[Any]:
    name = str(text.name)
    if text.isna().all() or text.str.fullmatch(r"0[0-9]+").any():  # codes, not numbers
        return text
    for dtype in _NARROWEST_FIRST:
        parsed = parse_column(text, Column(name=name, dtype=dtype, nullable=True), _NA)
        if not any(mask.any() for mask, _ in parsed.problems):
            return parsed.values
    return text.mask(text.isin(_NA))


def _input(landed: SourceResult) -> DerivedInput:
    return DerivedInput(
        namespace=landed.namespace,
        source_id=landed.source_id,
        manifest=landed.manifest,
        blob=landed.blob.digest,
    )


def _digest(inputs: Any) -> str:
    return Digest.of(canonical_json([each.blob for each in inputs])).text
