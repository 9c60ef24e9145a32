from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import PayloadError, TooLargeError
from airnub_prefect_starter.core.json_text import MAX_DEPTH, canonical_line, lookup, parse_json

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('aé"\\[{}]'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('a"\\[]{}'), inner),
    max_leaves=20,
)


@given(VALUES.filter(lambda value: "inf" not in repr(value)))
def test_a_value_is_read_back_from_its_line(value: Any) -> None:
    line = canonical_line(value, "item")

    assert line.count(b"\n") == 1
    assert parse_json(line, "line") == value


def test_equal_items_have_equal_lines() -> None:
    assert canonical_line({"b": 1.50, "a": "é"}, "x") == canonical_line({"a": "é", "b": 1.5}, "x")
    assert canonical_line({"b": 1.5, "a": "é"}, "x") == '{"a":"é","b":1.5}\n'.encode()


@pytest.mark.parametrize(
    "line",
    [
        b'{"amount":12345678901234567.89,"b":1.10}\n',
        b'[0.1000,-0.0,1E5,1e-400,[12345678901234567890,"1.10",true,null]]\n',
    ],
)
def test_numbers_keep_their_text(line: bytes) -> None:
    value = parse_json(line, "x")

    assert canonical_line(value, "x") == line
    assert canonical_line(pickle.loads(pickle.dumps(value)), "x") == line  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b'{"a": 1,}', "line 1, column 9", id="comma"),
        pytest.param(b'{\n "a" 1}', "line 2, column 6", id="colon"),
        pytest.param(b"", "line 1, column 1", id="empty"),
        pytest.param(b"<html>", "line 1, column 1", id="HTML"),
        pytest.param(b'{"a": "\xff"}', "byte 7 is not utf-8", id="bytes"),
        pytest.param(b'{"a": NaN}', "nan is not a json number", id="NaN"),
        pytest.param(b"-Infinity", "not a json number", id="infinity"),
        pytest.param(b"1" * 5_000, "limit", id="thousands of digits"),
        pytest.param(b'"' + b'\\"' * 100_000, "line 1", id="unfinished string"),
        pytest.param(b'"abc\\', "line 1", id="unfinished escape"),
        pytest.param(b"[" * 50, "line 1", id="not closed"),
        pytest.param(b"{]", "line 1", id="crossed"),
    ],
)
def test_what_is_not_json(raw: bytes, reason: str) -> None:
    with pytest.raises(PayloadError, match=f"^The body is not valid JSON: .*{reason}"):
        parse_json(raw, "The body")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="lists"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="objects"),
        pytest.param(b"[" * 1_000_000, id="never closed"),
        pytest.param(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), id="one too many"),
        pytest.param(b'[{"a":' * 51 + b"1" + b"}]" * 51, id="two too many, mixed"),
    ],
)
def test_what_nests_too_deeply(raw: bytes) -> None:
    with pytest.raises(TooLargeError, match="deeper than 100 levels"):
        parse_json(raw, "The body")


def test_brackets_in_strings_do_not_nest() -> None:
    text = "[{" * 1_000 + '"\\'
    assert parse_json(canonical_line([text], "x"), "x") == [text]
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "x")
    assert parse_json(b'[{"a":' * 50 + b"1" + b"}]" * 50, "x")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_of_unicode(encoding: str) -> None:
    assert parse_json('{"a":"é"}'.encode(encoding), "x") == {"a": "é"}


@pytest.mark.parametrize("item", [{"a": float("inf")}, {"a": "\ud800"}])
def test_what_cannot_be_written_down(item: Any) -> None:
    with pytest.raises(PayloadError, match="item 3"):
        canonical_line(item, "item 3")


def test_lookup() -> None:
    value = {"data": {"items": [1]}, "next": None}
    assert lookup(value, "", "x") is value
    assert lookup(value, "data.items", "x") == [1]
    assert lookup(value, "next", "x") is None


@pytest.mark.parametrize("path", ["data.rows", "rows", "next.page", "data.items.0"])
def test_lookup_of_what_is_not_there(path: str) -> None:
    with pytest.raises(PayloadError, match="has no"):
        lookup({"data": {"items": [1]}, "next": None}, path, "The page")
