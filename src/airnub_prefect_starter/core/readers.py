"""Stored bytes as frames of text: CSV, JSON lines, Parquet, tables of web pages, read strictly.

A frame of text has the schema's columns, every value a string or missing, and an index named
``row`` that counts the records from 1. Nothing is interpreted: `data_cleaning.clean` does that.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.html import extract_tables
from airnub_prefect_starter.core.table_schema import Column, ReaderName, TableSchema

Reader = Callable[[bytes, TableSchema], pd.DataFrame]


def read_csv_bytes(raw: bytes, schema: TableSchema) -> pd.DataFrame:
    """Read CSV with a header (RFC 4180, UTF-8); columns that the schema lacks are left out.

    Raises:
        PayloadError: Empty, not UTF-8, a missing or repeated column, a record with too few or too
            many fields, or a quotation mark without its partner. No retry.
    """
    _check_header(raw, schema)
    # An open quotation would swallow every record after it without a complaint.
    if raw.count(b'"') % 2:
        raise PayloadError("CSV has an odd number of quotation marks", "Fetch the source again")
    try:
        table = pa.csv.read_csv(
            io.BytesIO(raw),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(raw) + 1),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(schema.names, pa.string()),
                include_columns=schema.names,
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:  # the latter of a name over two lines
        _refuse("CSV", error)
    return _numbered(table.to_pandas())


def read_json_lines(raw: bytes, schema: TableSchema) -> pd.DataFrame:
    """Read one JSON object per line; keys that the schema lacks are left out, empty lines skipped.

    Numbers keep the text they have in the file; booleans become ``true`` and ``false``; lists and
    objects become JSON text (the numbers in them strings); null and a missing key are missing.

    Raises:
        PayloadError: A line is not UTF-8 or not one JSON object. No retry.
    """
    records = _records(raw)
    columns = {name: [_text(record.get(name)) for record in records] for name in schema.names}
    try:
        frame = pd.DataFrame(columns, dtype="str")
    except UnicodeEncodeError as error:  # half of a surrogate pair, written as an escape
        _refuse("the text of the JSON", error)
    return _numbered(frame)


def read_html_table(raw: bytes, schema: TableSchema) -> pd.DataFrame:
    """Read the one table of a web page whose first row names all the schema's columns.

    Columns that the schema lacks are left out. The page itself says what its charset is, else it is
    UTF-8.

    Raises:
        PayloadError: There is no such table or more than one, or a row has too few or too many
            cells. No retry.
        TooLargeError: The page nests too deeply. No retry.
    """
    tables = [table for table in extract_tables(raw) if table and _names_all(table[0], schema)]
    if len(tables) != 1:
        raise PayloadError(
            f"The page has {len(tables)} tables with the columns {schema.names}, expected one",
            "Correct the schema in the category's YAML, or look at the page: `airnub store get`",
        )
    header, *rows = tables[0]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise PayloadError(
                f"Row {number} of the page's table has {len(row)} cells, expected {len(header)}",
                "Check what the source sends: `airnub store get`",
            )
    frame = pd.DataFrame(rows, columns=header, dtype="str")
    return _numbered(frame[schema.names])


def read_parquet_text(raw: bytes, schema: TableSchema) -> pd.DataFrame:
    """Read Parquet as text; columns that the schema lacks are left out.

    Raises:
        PayloadError: It is cut off or no Parquet, or a column is missing, or of lists, structures
            or bytes. No retry.
    """
    try:
        table = pq.read_table(pa.BufferReader(raw), columns=schema.names)
        text = [_column_text(table.column(name)) for name in schema.names]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError, OSError) as error:
        _refuse("Parquet", error)
    return _numbered(pa.table(text, names=schema.names).to_pandas())


READERS: Mapping[ReaderName, Reader] = {
    "csv": read_csv_bytes,
    "json_lines": read_json_lines,
    "html_table": read_html_table,
    "parquet": read_parquet_text,
}


def columns_in(raw: bytes, reader: ReaderName) -> list[str]:
    """List the columns that a source has, whatever a schema asks for, in its order.

    Raises:
        PayloadError: It is not of the format, or is a web page, which may have many tables. No
            retry.
    """
    if reader == "csv":
        return csv_header(raw)
    if reader == "json_lines":
        return list(dict.fromkeys(name for record in _records(raw) for name in record))
    if reader == "parquet":
        try:
            return list(pq.read_schema(pa.BufferReader(raw)).names)
        except (pa.ArrowInvalid, OSError) as error:
            _refuse("Parquet", error)
    raise PayloadError(f"The reader {reader} has no columns of its own", "State a schema")


def read_whole(raw: bytes, reader: ReaderName, own: Collection[str]) -> pd.DataFrame:
    """Read all columns that a source has as text.

    Args:
        raw: The bytes.
        reader: How to read them.
        own: Names of columns that are added later, which the source may not have.

    Raises:
        PayloadError: It is not of the format, or has a column of ours or without a plain name. No
            retry.
    """
    names = columns_in(raw, reader)
    if taken := sorted({*own} & {*names}):
        raise PayloadError(f"it has columns of our own: {taken}", "Rename them at the source")
    if not all(name.strip() and min(name) >= " " for name in names):
        raise PayloadError(f"a column has no plain name: {names[:40]}", "Name it at the source")
    columns = tuple(Column(name=name, dtype="string", nullable=True) for name in names)
    return READERS[reader](raw, TableSchema.model_construct(columns=columns, key=()))


def csv_header(raw: bytes) -> list[str]:
    """Read the names in the first line of a CSV.

    Raises:
        PayloadError: It is not UTF-8 or no CSV. No retry.
    """
    first_line = raw.partition(b"\n")[0]
    try:
        return next(csv.reader([first_line.decode("utf-8-sig").rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        _refuse("the header of the CSV", error)


def _column_text(values: Any) -> Any:
    kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", kind.tz))  # of more digits there are no times here
    return values.cast(pa.string())


def _names_all(header: list[str], schema: TableSchema) -> bool:
    return all(header.count(name) == 1 for name in schema.names)


def _check_header(raw: bytes, schema: TableSchema) -> None:
    header = csv_header(raw)
    wrong = [name for name in schema.names if header.count(name) != 1]
    if wrong:
        raise PayloadError(
            f"CSV columns {wrong} are missing or repeated; the header has {header[:40]}",
            "Correct the schema in the category's YAML, or the source",
        )


def _records(raw: bytes) -> list[dict[str, Any]]:
    lines = [line for line in raw.splitlines() if line.strip()]
    return [_record(line, number) for number, line in enumerate(lines, start=1)]


def _record(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(f"line {number} as JSON", error)
    if not isinstance(found, dict):
        raise PayloadError(
            f"Line {number} is JSON of type {type(found).__name__}, expected an object",
            "Use the reader that fits the source",
        )
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="row"), axis=0)


def _refuse(what: str, error: Exception) -> NoReturn:
    first_line = str(error).splitlines()[0][:200]
    raise PayloadError(
        f"Cannot read {what}: {first_line}", "Check what the source sends: `airnub store get`"
    ) from error
