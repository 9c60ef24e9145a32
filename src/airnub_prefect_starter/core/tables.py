"""Bytes to data frames and back, deterministically, and the digest of a table's rows.

What parses the text of a column into its type is in `column_types.py`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.manifest_models import canonical_json
from airnub_prefect_starter.core.table_schema import ColumnType, TableSchema

PARQUET = "application/vnd.apache.parquet"
MAX_PARTITIONS = 1000

_ARROW_TYPES: Mapping[ColumnType, Any] = {
    "string": pa.large_string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_PANDAS_TYPES = {
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.date32(): pd.ArrowDtype(pa.date32()),
}


def write_parquet(frame: pd.DataFrame) -> bytes:
    """Serialise a frame so that equal rows give equal bytes wherever the same lock is installed.

    The index is not written. Neither are pandas' and Arrow's own schema descriptions: they name
    versions and in-memory types.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        version="2.6",
        compression="zstd",
        compression_level=3,
        coerce_timestamps="us",
        store_schema=False,
        row_group_size=1 << 20,
    )
    return sink.getvalue()


def read_parquet(raw: bytes) -> pd.DataFrame:
    """Read a frame back with the types that cleaning gave it.

    Raises:
        PayloadError: The bytes are not Parquet. No retry.
    """
    try:
        table = pq.read_table(pa.BufferReader(raw))
    except pa.ArrowInvalid as error:
        raise PayloadError(f"Not Parquet: {error}", "Run the stage that writes it again") from error
    return to_pandas(table)


def to_pandas(table: Any) -> pd.DataFrame:
    """Give an Arrow table, or a reader of record batches, the types that cleaning gives."""
    whole = table.read_all() if isinstance(table, pa.RecordBatchReader) else table
    frame: pd.DataFrame = whole.to_pandas(types_mapper=_PANDAS_TYPES.get)
    return frame


def partition(frame: pd.DataFrame, by: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Split a frame by columns into ``{"origin=EWR/month=2013-01": rows}``, in order of values.

    A date or timestamp column splits by its UTC month, under the name ``month``. Without columns
    the one part is called ``all``. Every part keeps all columns. Values are percent-encoded.

    Raises:
        PayloadError: More than 1,000 parts. No retry.
    """
    if not by or frame.empty:
        return {"all": frame}
    labels = [_partition_values(frame[name]) for name in by]
    parts = {
        "/".join(_segment(label, value) for label, value in zip(labels, values, strict=True)): rows
        for values, rows in _checked_groups(frame, labels)
    }
    return {name: rows.reset_index(drop=True) for name, rows in parts.items()}


def _checked_groups(frame: pd.DataFrame, labels: list[pd.Series[Any]]) -> Any:
    groups = frame.groupby(labels, sort=True)
    if groups.ngroups > MAX_PARTITIONS:
        raise PayloadError(
            f"partition_by gives {groups.ngroups} parts", f"Choose columns for {MAX_PARTITIONS}"
        )
    return groups


def _partition_values(values: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype | pd.ArrowDtype):
        months: pd.Series[Any] = values.dt.strftime("%Y-%m")
        return months.astype("str").rename("month")
    return values


def _segment(label: pd.Series[Any], value: object) -> str:
    return f"{label.name}={quote(str(value), safe='')}"


def table_digest(frame: pd.DataFrame, schema: TableSchema) -> str:
    """Return ``sha256:<hex>`` of a table's schema and rows, whatever their order and encoding.

    Hashed are, in this order: the canonical JSON of names, types, key and number of rows; then,
    with the rows sorted by key and then by the other columns, per column the validity bits (least
    significant first) and the values with missing ones as zero: 64-bit little-endian integers
    (days and microseconds of dates and times), IEEE doubles (no negative zero), bytes of 0 and 1,
    and for text the 64-bit lengths in bytes before the joined UTF-8.
    """
    table = pa.Table.from_pandas(frame[schema.names], schema=_arrow(schema), preserve_index=False)
    order = [*schema.key, *(name for name in schema.names if name not in schema.key)]
    table = table.sort_by([(name, "ascending") for name in order])
    head = {
        "columns": [[column.name, column.dtype] for column in schema.columns],
        "key": list(schema.key),
        "rows": table.num_rows,
    }
    hasher = hashlib.sha256(canonical_json(head))
    for column in table.columns:
        for part in _canonical_column(column.combine_chunks()):
            hasher.update(part)
    return f"sha256:{hasher.hexdigest()}"


def _canonical_column(values: Any) -> tuple[bytes, ...]:
    valid = np.packbits(values.is_valid().to_numpy(zero_copy_only=False), bitorder="little")
    if pa.types.is_large_string(values.type):
        text = pc.fill_null(values, "")
        lengths = pc.binary_length(text).to_numpy(zero_copy_only=False)
        return valid.tobytes(), lengths.astype("<i8").tobytes(), "".join(text.to_pylist()).encode()
    if pa.types.is_floating(values.type):
        filled = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False) + 0.0
        return valid.tobytes(), filled.astype("<f8").tobytes()
    if pa.types.is_boolean(values.type):
        filled = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
        return valid.tobytes(), filled.astype("u1").tobytes()
    # Arrow casts dates to 64 bits only by way of the 32 bits that they have.
    narrow = values.cast(pa.int32()) if pa.types.is_date32(values.type) else values
    filled = pc.fill_null(narrow.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return valid.tobytes(), filled.astype("<i8").tobytes()


def _arrow(schema: TableSchema) -> Any:
    return pa.schema([(each.name, _ARROW_TYPES[each.dtype]) for each in schema.columns])
