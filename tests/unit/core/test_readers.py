from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.readers import READERS, columns_in
from airnub_prefect_starter.core.table_schema import Column, ReaderName, TableSchema

SCHEMA = TableSchema(
    columns=(Column(name="id", dtype="int"), Column(name="name", dtype="string")), key=("id",)
)


def _rows(reader: ReaderName, raw: bytes) -> list[tuple[int, str | None, str | None]]:
    frame = READERS[reader](raw, SCHEMA)
    return list(frame.astype(object).where(frame.notna(), None).itertuples(name=None))


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b"id,name\n1,a\n2,b\n", [(1, "1", "a"), (2, "2", "b")]),
        (b"id,name\r\n1,a\r\n2,b", [(1, "1", "a"), (2, "2", "b")]),
        (b"\xef\xbb\xbfid,name\n1,a\n", [(1, "1", "a")]),
        (b"name,extra,id\na,x,1\n", [(1, "1", "a")]),
        (b'id,name\n1,"a ""b"",\nc"\n', [(1, "1", 'a "b",\nc')]),
        (b"id,name\n1,\n,NA\n", [(1, "1", ""), (2, "", "NA")]),
        (b"id,name\n 007 ,true\n", [(1, " 007 ", "true")]),
        (b"id,name\n", []),
    ],
    ids=["plain", "crlf", "bom", "other-columns", "quoted", "empty", "nothing-guessed", "no-rows"],
)
def test_csv(raw: bytes, rows: list[tuple[int, str, str]]) -> None:
    assert _rows("csv", raw) == rows


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b'{"id": 1, "name": "a"}\n\n{"name": "b", "id": "2"}', [(1, "1", "a"), (2, "2", "b")]),
        (b'{"id": 1.50, "name": true}\n', [(1, "1.50", "true")]),
        (b'{"id": null}\n', [(1, None, None)]),
        (b'{"id": 1, "name": [{"b": "c", "a": null}]}', [(1, "1", '[{"a":null,"b":"c"}]')]),
        (b'{"id": 12345678901234567890, "extra": 1}', [(1, "12345678901234567890", None)]),
        ('{"id": 1, "name": "\u2028ü"}'.encode(), [(1, "1", "\u2028ü")]),
        (b"", []),
    ],
    ids=["plain", "text-kept", "null", "nested", "large", "unicode", "empty"],
)
def test_json_lines(raw: bytes, rows: list[tuple[int, str, str]]) -> None:
    assert _rows("json_lines", raw) == rows


PAGE = """<html><body><table><tr><th>other</th></tr></table>
<table><thead><tr><th>Extra</th><th> id </th><th>name</th></tr></thead>
<tbody><tr><td>x</td><td>1</td><td>a <b>b</b></td></tr><tr><td></td><td>2</td><td></td></tr>
</tbody></table></body></html>"""


def test_html_table() -> None:
    assert _rows("html_table", PAGE.encode()) == [(1, "1", "a b"), (2, "2", "")]


@pytest.mark.parametrize(
    ("reader", "raw", "message"),
    [
        ("csv", b"", "columns ['id', 'name'] are missing"),
        ("csv", b"<!doctype html>\n<p>no</p>\n", "columns ['id', 'name'] are missing"),
        ("csv", b"id\n1\n", "columns ['name'] are missing"),
        ("csv", b"id,name,id\n1,a,2\n", "columns ['id'] are missing or repeated"),
        ("csv", b"id,name\n1,a\n2\n", "Row #3: Expected 2 columns, got 1"),
        ("csv", b"id,name\n1,a,b\n", "Row #2: Expected 2 columns, got 3"),
        ("csv", b'id,name\n1,"a\n2,b\n', "odd number of quotation marks"),
        ("csv", b"id,name\n1,\xff\n", "invalid UTF8"),
        ("csv", b"\xffid,name\n1,a\n", "Cannot read the header"),
        ("json_lines", b"<html>", "line 1 as JSON"),
        ("json_lines", b'{"id": 1}\n{"id": 2', "line 2 as JSON"),
        ("json_lines", b"[1]", "Line 1 is JSON of type list"),
        ("json_lines", b'{"id": 1},{"id": 2}', "line 1 as JSON"),
        ("json_lines", b'{"id": NaN}', "NaN is not JSON"),
        ("json_lines", b'{"id": "\xff"}', "line 1 as JSON"),
        ("json_lines", b'{"id": ' + b"[" * 100_000, "line 1 as JSON"),
        ("json_lines", rb'{"name": "\ud800"}', "surrogates not allowed"),
        ("html_table", b"", "0 tables with the columns ['id', 'name']"),
        ("html_table", b"id,name\n1,a\n", "0 tables"),
        ("html_table", PAGE.replace("</body></html>", "").encode() * 2, "2 tables"),
        ("html_table", PAGE.replace("<td>2</td>", "").encode(), "Row 2 of the page's table has 2"),
    ],
    ids=[
        "csv-empty",
        "csv-is-html",
        "csv-column-missing",
        "csv-column-repeated",
        "csv-short-row",
        "csv-long-row",
        "csv-open-quotation",
        "csv-not-utf8",
        "csv-header-not-utf8",
        "json-is-html",
        "json-cut",
        "json-list",
        "json-two-on-a-line",
        "json-nan",
        "json-not-utf8",
        "json-nested",
        "json-half-character",
        "html-empty",
        "html-is-csv",
        "html-two-tables",
        "html-short-row",
    ],
)
def test_broken_bytes_are_refused(reader: ReaderName, raw: bytes, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        READERS[reader](raw, SCHEMA)

    assert message in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("reader", "raw", "names"),
    [
        ("csv", b'\xef\xbb\xbfid,"a, b"\r\n1,2\r\n', ["id", "a, b"]),
        ("csv", b"", []),
        ("json_lines", b'{"b":1}\n\n{"a":2,"b":3}\n', ["b", "a"]),
    ],
)
def test_columns_of_a_source_are_listed_in_its_order(
    reader: ReaderName, raw: bytes, names: list[str]
) -> None:
    assert columns_in(raw, reader) == names


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"not parquet at all"])
def test_what_is_no_parquet_is_refused(raw: bytes) -> None:
    with pytest.raises(PayloadError, match="Cannot read Parquet"):
        columns_in(raw, "parquet")
    with pytest.raises(PayloadError, match="Cannot read Parquet"):
        READERS["parquet"](raw, SCHEMA)
