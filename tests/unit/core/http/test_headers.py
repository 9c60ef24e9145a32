from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.core.http import headers as fields

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "http://h/dir/last%20part.csv?x=1"


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        pytest.param("attachment; filename=data.csv", "data.csv", id="plain"),
        pytest.param('attachment; filename="a b.csv"', "a b.csv", id="quoted"),
        pytest.param(
            "attachment; filename=x; filename*=UTF-8''na%C3%AFve.csv", "naïve.csv", id="extended"
        ),
        pytest.param('attachment; filename="na\xc3\xafve.csv"', "naïve.csv", id="raw UTF-8"),
        pytest.param("attachment; filename*0=a; filename*1=b.csv", "ab.csv", id="continued"),
        pytest.param("inline", "last part.csv", id="none: from the address"),
        pytest.param("", "last part.csv", id="empty"),
        pytest.param('attachment; filename="../../etc/passwd"', "passwd", id="climbs"),
        pytest.param("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd", id="climbs*"),
        pytest.param('attachment; filename="C:\\\\x.csv"', "x.csv", id="Windows path"),
        pytest.param('attachment; filename="CON"', "download", id="device"),
        pytest.param('attachment; filename=".."', "download", id="dots"),
        pytest.param('attachment; filename="a\x00b.csv"', "a b.csv", id="NUL"),
        pytest.param("attachment; filename*=UTF-8''%E2%80%AEgnp.exe", "gnp.exe", id="bidi"),
        pytest.param("attachment; filename*=bogus''%ff%fe.csv", "ÿþ.csv", id="unknown charset"),
        pytest.param(f'attachment; filename="{"a" * 300}.csv"', "a" * 146 + ".csv", id="long"),
    ],
)
def test_filename(disposition: str, expected: str) -> None:
    assert fields.filename({"Content-Disposition": disposition}, URL) == expected


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_any_disposition_gives_a_safe_name(disposition: str) -> None:
    name = fields.filename({"Content-Disposition": disposition}, URL)

    assert name
    assert name not in (".", "..")
    assert not set(name) & set("/\\\x00\n")
    assert len(name.encode()) <= 150


@pytest.mark.parametrize(
    ("value", "etag", "strong"),
    [
        ('"v1"', '"v1"', True),
        ('W/"v1"', 'W/"v1"', False),
        ("bare", "bare", False),
        ('""', '""', True),
        ("", None, False),
        ('"a b"', None, False),
        ('"' + "x" * 2_000 + '"', None, False),
    ],
)
def test_etag(value: str, etag: str | None, strong: bool) -> None:
    assert fields.etag({"ETag": value}) == etag
    assert fields.is_strong(etag) is strong


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1" * 400, None),
        ("Thu, 01 Jan 99999 00:00:30 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert fields.retry_after_s({"Retry-After": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "sha256:e3b0c442"),
        ("sha-512=:AAAA:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "sha256:e3b0"),
        ("sha-512=:AAAA:", None),
        ("sha-256=:short:", None),
        ("sha-256=:===========================================A:", None),
        ("", None),
    ],
)
def test_claimed_digest(value: str, expected: str | None) -> None:
    found = fields.claimed_digest({"Repr-Digest": value})
    assert found == expected or (expected is not None and str(found).startswith(expected))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('<b?page=2>; rel="next", <c>; rel="last"', "http://h/dir/b?page=2"),
        ('<a,b;c>; title="x, y"; rel="prev NEXT"', "http://h/dir/a,b;c"),
        ("</z>; rel=next", "http://h/z"),
        ('<c>; rel="last"', None),
        ("<c>", None),
        ("rel=next", None),
        ("<" * 5_000, None),
    ],
)
def test_next_link(value: str, expected: str | None) -> None:
    assert fields.next_link({"Link": value}, URL) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("bytes 5-9/*", (5, 9, None)),
        ("bytes */10", None),
        ("5-9", None),
        ("bytes ٣-9/10", None),
        ("bytes 5-9/" + "9" * 5_000, None),
        ("", None),
    ],
)
def test_content_range(value: str, expected: tuple[int, int, int | None] | None) -> None:
    assert fields.content_range({"Content-Range": value}) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("12", 12), ("-1", None), ("1_0", None), ("٣", None), ("9" * 30, None), ("", None)],
)
def test_content_length(value: str, expected: int | None) -> None:
    assert fields.content_length({"Content-Length": value}) == expected


def test_chunks_announce_no_length() -> None:
    headers = {"Content-Length": "5", "Transfer-Encoding": "chunked"}

    assert fields.content_length(headers) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Text/HTML; charset=x", "text/html"), ("nonsense", None), ("a/b/c", None), ("", None)],
)
def test_media_type(value: str, expected: str | None) -> None:
    assert fields.media_type({"Content-Type": value}) == expected
