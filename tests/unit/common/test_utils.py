from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airnub_prefect_starter.common.utils import generate_sha256_hash, sanitize_filename

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.text(st.characters(), max_size=300) | st.text("con.\\/ \u0301\u202ee", max_size=200))
@example(". .x")
@example("e\u200d\u0301")
@example("con" + " " * 200 + "x")
@example("a" * 200 + ".csv")
@example("ü" * 100 + "." + "é" * 8)
@example("\ud800")
def test_sanitized_name_is_safe_and_stable(name: str) -> None:
    safe = sanitize_filename(name)

    assert safe
    assert not set(safe) & set('/\\<>:"|?*\0')
    assert not safe.startswith(".")
    assert len(safe.encode()) <= 150
    assert sanitize_filename(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.csv", "report.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\a.csv", "a.csv"),
        ("..", "download"),
        ("", "download"),
        ("folder/", "download"),
        (".hidden", "hidden"),
        ("CON.txt", "download"),
        ("com¹", "download"),
        ("con .txt", "download"),
        ("console.txt", "console.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\x00b\nc", "abc"),
        ("flüge 2013.csv", "flüge 2013.csv"),
        ("x. . ", "x"),
    ],
)
def test_sanitize_filename(name: str, safe: str) -> None:
    assert sanitize_filename(name) == safe


def test_a_long_name_keeps_its_extension() -> None:
    safe = sanitize_filename("ä" * 200 + ".tar.gz")

    assert safe.endswith("ä.gz")
    assert len(safe.encode()) <= 150


def test_the_fallback_can_be_chosen() -> None:
    assert sanitize_filename("...", fallback="page.html") == "page.html"


def test_hash_is_the_same_from_bytes_file_and_stream(tmp_path: Path) -> None:
    body = b"x" * (3 << 20)
    file = tmp_path / "body"
    file.write_bytes(body)

    expected = hashlib.sha256(body).hexdigest()
    assert generate_sha256_hash(body) == expected
    assert generate_sha256_hash(file) == expected
    assert generate_sha256_hash(io.BytesIO(body)) == expected


def test_hash_of_nothing() -> None:
    assert generate_sha256_hash(b"") == EMPTY
