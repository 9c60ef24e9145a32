"""Commits to Delta tables: whole, by partition, by key, or more rows; each says who and of what.

Every way is idempotent but `append`. Equal column types are required; columns that are new are
added where the caller says so. One writer per table is the caller's affair (a concurrency limit);
two at once end in a `TableConflictError`, which a retry heals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from airnub_prefect_starter.common.errors import TableSchemaError
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.lake import Lake, literal, quoted
from airnub_prefect_starter.core.manifest_models import RunInfo

RUN_ID = "airnub.flow_run_id"
INPUTS = "airnub.inputs"
UPKEEP = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"})
"""Operations that change files or properties, never rows."""
PROPERTIES = {"delta.enableExpiredLogCleanup": "false"}
"""Of every table. By itself the library removes the log of versions older than 30 days whenever it
writes a checkpoint, whoever has released them; maintenance alone knows which must stay."""


@dataclass(frozen=True)
class WriteInfo:
    """What a commit's metadata says: the run, and the digest of what the rows were made of."""

    run: RunInfo
    inputs: str

    def properties(self) -> CommitProperties:
        """Give it as the Delta library takes it; its history shows it beside each version."""
        run_id = {RUN_ID: self.run.flow_run_id} if self.run.flow_run_id else {}
        return CommitProperties(custom_metadata={INPUTS: self.inputs, **run_id})


@dataclass(frozen=True)
class MergeCounts:
    """What a merge came to, in rows, and the version that it made."""

    inserted: int
    updated: int
    deleted: int
    version: int


def overwrite(
    lake: Lake,
    table: str,
    frame: pd.DataFrame,
    info: WriteInfo,
    *,
    schema_change: bool = False,
) -> int:
    """Replace all rows; give the new version.

    Args:
        lake: Where the table is, or will be.
        table: Its name.
        frame: All its rows.
        info: What the commit's metadata says.
        schema_change: Whether other columns or types may take the place of those that are there.

    Raises:
        TableSchemaError: The columns are others than before. No retry.
        TableConflictError: Another writer committed first. A retry helps.
        StoreError: It cannot be written.
    """
    mode = "overwrite" if schema_change else None
    return _write(lake, table, frame, info, mode="overwrite", schema_mode=mode)


def replace_partition(
    lake: Lake,
    table: str,
    frame: pd.DataFrame,
    info: WriteInfo,
    *,
    column: str,
    value: str,
    add_columns: bool = True,
) -> int:
    """Replace the rows of one partition, in one commit; give the new version.

    The table is made, partitioned by the column, if there is none. Columns that the table lacks are
    added where ``add_columns``; those that the frame lacks become missing.

    Raises:
        TableSchemaError: Rows of another partition, or columns that do not fit. No retry.
        TableConflictError: Another writer committed first. A retry helps.
        StoreError: It cannot be written.
    """
    if not (frame[column] == value).all():
        raise TableSchemaError(f"Rows for {column}={value} of {table} are of other partitions")
    if not lake.exists(table):
        return _write(lake, table, frame, info, mode="error", partition_by=[column])
    there = lake.open(table)
    return _write(
        lake,
        table,
        _filled(frame, there) if add_columns else frame,
        info,
        mode="overwrite",
        schema_mode="merge" if add_columns else None,
        predicate=f"{quoted(column)} = {literal(value)}",
    )


def append(lake: Lake, table: str, frame: pd.DataFrame, info: WriteInfo) -> int:
    """Add rows; give the new version. Twice the same rows are there twice.

    Raises:
        TableSchemaError: Columns that do not fit; new ones are added. No retry.
        StoreError: It cannot be written.
    """
    if lake.exists(table):
        frame = _filled(frame, lake.open(table))
    return _write(lake, table, frame, info, mode="append", schema_mode="merge")


def merge(
    lake: Lake,
    table: str,
    frame: pd.DataFrame,
    info: WriteInfo,
    *,
    key: Sequence[str],
    partition: tuple[str, str] | None = None,
    delete_missing: bool | str = False,
) -> MergeCounts:
    """Update the rows whose key is there, and insert the others, in one commit.

    Args:
        lake: Where the table is; if there is none it is made, split by the partition's column.
        table: Its name.
        frame: Rows, unique by key.
        info: What the commit's metadata says.
        key: Columns that make a row unique; none may be missing.
        partition: Column and value of the one partition that holds all rows with these keys: only
            its files are read, which is what makes a merge cheap.
        delete_missing: Whether rows of the partition (without one, of the table) whose key the
            frame lacks are deleted; or an SQL predicate over `t`, for the rows that it holds of.

    Raises:
        TableSchemaError: Columns that do not fit; new ones are added. No retry.
        TableConflictError: Another writer committed first. A retry helps.
        StoreError: It cannot be written.
    """
    if not lake.exists(table):
        by = [partition[0]] if partition else None
        version = _write(lake, table, frame, info, mode="error", partition_by=by)
        return MergeCounts(len(frame), 0, 0, version)
    there = lake.open(table)
    inside = f"t.{quoted(partition[0])} = {literal(partition[1])}" if partition else None
    same = [f"t.{quoted(name)} = s.{quoted(name)}" for name in key]
    with translated(f"Merging into the table {table}"):
        merger = there.merge(
            source=to_arrow(_filled(frame, there)),
            predicate=" AND ".join([*same, *([inside] if inside else [])]),
            source_alias="s",
            target_alias="t",
            merge_schema=True,
            commit_properties=info.properties(),
        )
        merger = merger.when_matched_update_all().when_not_matched_insert_all()
        if delete_missing:
            where = delete_missing if isinstance(delete_missing, str) else inside
            merger = merger.when_not_matched_by_source_delete(where)
        counted = merger.execute()
    return MergeCounts(
        inserted=counted["num_target_rows_inserted"],
        updated=counted["num_target_rows_updated"],
        deleted=counted["num_target_rows_deleted"],
        version=there.version(),
    )


def delete(lake: Lake, table: str, predicate: str, info: WriteInfo) -> int:
    """Delete rows by an SQL predicate; give how many they were. Of none, nothing is committed.

    Raises:
        TableConflictError: Another writer committed first. A retry helps.
        StoreError: It cannot be written.
    """
    there = lake.open(table)
    with translated(f"Deleting from the table {table}"):
        counted = there.delete(predicate, commit_properties=info.properties())
    return int(counted["num_deleted_rows"] or 0)


def to_arrow(frame: pd.DataFrame) -> Any:
    """Give a frame as Arrow, without pandas' own description; a column of nothing is of text."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for index, field in enumerate(table.schema):
        if pa.types.is_null(field.type):
            empty = pa.nulls(table.num_rows, pa.string())
            table = table.set_column(index, pa.field(field.name, pa.string()), empty)
    return table


def columns_of(table: DeltaTable) -> Mapping[str, str]:
    """Give the columns of an opened table, in order: name → type, such as ``long``."""
    return {field.name: _type(field.type) for field in table.schema().fields}


def _type(found: Any) -> str:
    return str(getattr(found, "type", found))


def _filled(frame: pd.DataFrame, there: DeltaTable) -> pd.DataFrame:
    """Add the columns that only the table has, missing in every row, in the table's order."""
    schema = pa.schema(there.schema().to_arrow())
    lacking = [field for field in schema if field.name not in frame]
    empty = {
        field.name: pd.Series([None] * len(frame), frame.index, dtype=pd.ArrowDtype(field.type))
        for field in lacking
    }
    filled = frame.assign(**empty)
    known = [name for name in schema.names if name in filled]
    return filled[[*known, *(name for name in filled if name not in schema.names)]]


def _write(lake: Lake, table: str, frame: pd.DataFrame, info: WriteInfo, **how: Any) -> int:
    uri = lake.uri(table)
    rows = to_arrow(frame)
    with translated(f"Writing the table {table}"):
        write_deltalake(
            uri,
            rows,
            configuration=PROPERTIES,  # counts where the table is made
            storage_options=lake.storage_options,
            commit_properties=info.properties(),
            **how,
        )
        return lake.open(table).version()
