from __future__ import annotations

import hashlib
import io
import struct
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.data_cleaning import clean
from airnub_prefect_starter.core.readers import read_csv_bytes
from airnub_prefect_starter.core.table_schema import Column, TableSchema
from airnub_prefect_starter.core.tables import (
    partition,
    read_parquet,
    table_digest,
    write_parquet,
)

SCHEMA = TableSchema(
    columns=(
        Column(name="id", dtype="int"),
        Column(name="name", dtype="string", nullable=True),
        Column(name="share", dtype="float", nullable=True),
        Column(name="active", dtype="bool", nullable=True),
        Column(name="day", dtype="date", nullable=True),
        Column(name="at", dtype="timestamp", nullable=True),
    ),
    key=("id",),
)
PINNED = "sha256:f1947ecb98e9f4b02d3c38c1ac37b77c4643138d66be559e7755df272ab126b5"
CSV = b"""id,name,share,active,day,at
2,b,0.5,true,2013-01-31,2013-01-31T05:00:00Z
1,"a, b",NA,false,2013-02-01,2013-02-01T00:30:00+01:00
3,NA,-0.0,NA,NA,NA
"""


def _frame(raw: bytes = CSV, schema: TableSchema = SCHEMA) -> pd.DataFrame:
    return clean(read_csv_bytes(raw, schema), schema).accepted


def test_parquet_round_trips_with_types() -> None:
    frame = _frame()

    again = read_parquet(write_parquet(frame))

    pd.testing.assert_frame_equal(again, frame)
    assert again["id"].dtype == "Int64"
    assert str(again["at"].dtype) == "datetime64[us, UTC]"
    assert again["at"].iloc[0] == pd.Timestamp("2013-01-31T23:30:00Z")


def test_parquet_bytes_depend_on_the_rows_alone() -> None:
    frame = _frame()
    indexed = frame.set_axis([7, 8, 9], axis=0)

    assert write_parquet(frame) == write_parquet(indexed) == write_parquet(_frame())


def test_parquet_names_no_library_but_its_writer() -> None:
    file = pq.ParquetFile(io.BytesIO(write_parquet(_frame())))

    assert file.metadata.metadata is None
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_what_is_not_parquet_is_refused() -> None:
    with pytest.raises(PayloadError, match="Not Parquet"):
        read_parquet(b"<html></html>")


def test_digest_is_pinned() -> None:
    # Equal tables must have this digest on every machine and in every later version.
    assert table_digest(_frame(), SCHEMA) == PINNED


def test_digest_follows_its_description() -> None:
    head = (
        b'{"columns":[["id","int"],["name","string"],["share","float"],["active","bool"],'
        b'["day","date"],["at","timestamp"]],"key":["id"],"rows":3}'
    )
    hours = 3_600_000_000
    columns = [
        bytes([0b111]) + struct.pack("<3q", 1, 2, 3),
        bytes([0b011]) + struct.pack("<3q", 4, 1, 0) + b"a, bb",
        bytes([0b110]) + struct.pack("<3d", 0, 0.5, 0),
        bytes([0b011]) + bytes([0, 1, 0]),
        bytes([0b011]) + struct.pack("<3q", 15737, 15736, 0),
        bytes([0b011])
        + struct.pack(
            "<3q", 15736 * 24 * hours + 47 * hours // 2, 15736 * 24 * hours + 5 * hours, 0
        ),
    ]

    expected = hashlib.sha256(head + b"".join(columns)).hexdigest()

    assert table_digest(_frame(), SCHEMA) == f"sha256:{expected}"


def test_digest_is_of_rows_not_of_their_order_or_encoding() -> None:
    frame = _frame()
    again = read_parquet(write_parquet(frame.iloc[::-1]))

    assert table_digest(again, SCHEMA) == table_digest(frame, SCHEMA)
    assert table_digest(frame[list(reversed(SCHEMA.names))], SCHEMA) == table_digest(frame, SCHEMA)


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", "c"), ("name", None), ("share", 0.25), ("active", False), ("id", 9)],
)
def test_digest_sees_every_value(column: str, value: Any) -> None:
    changed = _frame()
    changed.loc[1, column] = value

    assert table_digest(changed, SCHEMA) != PINNED


def test_digest_tells_text_apart_from_where_it_is_split() -> None:
    schema = TableSchema(
        columns=(Column(name="a", dtype="string"), Column(name="b", dtype="string", nullable=True)),
        key=("a",),
    )
    rows = [("ab", "c"), ("a", "bc"), ("abc", ""), ("abc", None)]

    digests = {table_digest(pd.DataFrame([row], columns=["a", "b"]), schema) for row in rows}

    assert len(digests) == len(rows)


def test_digest_has_one_zero_and_one_missing_value() -> None:
    schema = TableSchema(columns=(Column(name="x", dtype="float"),), key=("x",))

    def digest(*values: float) -> str:
        return table_digest(pd.DataFrame({"x": np.array(values)}), schema)

    assert digest(0.0) == digest(-0.0)
    assert digest(0.1 + 0.2) != digest(0.3)


@given(st.permutations(list(range(8))))
def test_digest_of_any_order(order: list[int]) -> None:
    # Keys repeat: rows are then ordered by the other columns.
    frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3, 3, 4], "name": list("abcdefgh")})
    schema = TableSchema(columns=SCHEMA.columns[:2], key=("id",))

    assert table_digest(frame.iloc[order], schema) == table_digest(frame, schema)


def test_an_empty_table_has_a_digest() -> None:
    empty = _frame(CSV.splitlines(keepends=True)[0])

    assert table_digest(empty, SCHEMA).startswith("sha256:")
    assert read_parquet(write_parquet(empty)).empty


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ((), ["all"]),
        (("id",), ["id=1", "id=2", "id=10"]),
        (("at",), ["month=2012-12", "month=2013-01"]),
        (("day",), ["month=2013-01", "month=2013-02"]),
        (("name",), ["name=a%2Fb", "name=c"]),
        (("name", "day"), ["name=a%2Fb/month=2013-01", "name=c/month=2013-02"]),
    ],
    ids=["none", "int", "timestamp-in-utc", "date", "text", "two"],
)
def test_partition(by: tuple[str, ...], names: list[str]) -> None:
    frame = _frame(
        b"id,name,share,active,day,at\n"
        b"10,c,1,true,2013-02-01,2013-01-31T23:00:00Z\n"
        b"1,a/b,1,true,2013-01-01,2013-01-01T00:00:00+02:00\n"
        b"2,a/b,1,true,2013-01-02,2013-01-01T00:00:00Z\n"
    )

    parts = partition(frame, by)

    assert list(parts) == names
    assert sum(len(part) for part in parts.values()) == len(frame)
    assert all(list(part.columns) == SCHEMA.names for part in parts.values())


def test_too_many_partitions_are_refused() -> None:
    with pytest.raises(PayloadError, match="1001 parts"):
        partition(pd.DataFrame({"id": range(1001)}), ("id",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": ("nope",)}, "'nope' of key or partition_by is not a column"),
        ({"key": ("name",)}, "'name' of key or partition_by must not be nullable"),
        ({"partition_by": ("name",)}, "must not be nullable"),
        ({"columns": (SCHEMA.columns[0],) * 2}, "two columns have the same name"),
        ({"key": ()}, "at least 1 item"),
        ({"unknown": 1}, "Extra inputs"),
    ],
    ids=["key-unknown", "key-nullable", "partition-nullable", "repeated", "no-key", "closed"],
)
def test_schemas_that_cannot_be(changes: dict[str, object], message: str) -> None:
    facts: dict[str, object] = {"columns": SCHEMA.columns, "key": ("id",), **changes}

    with pytest.raises(ValidationError, match=message):
        TableSchema.model_validate(facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"dtype": "string", "minimum": 1},
        {"dtype": "date", "maximum": 1},
        {"dtype": "int", "allowed": ["1"]},
        {"dtype": "decimal"},
        {"dtype": "string", "allowed": []},
    ],
    ids=["range-of-text", "range-of-dates", "allowed-numbers", "no-type", "nothing-allowed"],
)
def test_columns_that_cannot_be(facts: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Column.model_validate({"name": "a", **facts})
