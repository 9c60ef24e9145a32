from __future__ import annotations

import base64
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.markdown import (
    artifact_key,
    escape_markdown,
    frame_table,
    image,
    markdown_table,
    short_digest,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, 1.5 %", "plain words, 1.5 %"),
        ("a|b", r"a\|b"),
        ("`rm -rf`", r"\`rm -rf\`"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("[x](javascript:y)", r"\[x\](javascript:y)"),
        ("a\n\n# b", r"a \# b"),
        ("a\\|b", r"a\\\|b"),
        ("&lt;", "&amp;lt;"),
        ("*b* _i_ ~s~", r"\*b\* \_i\_ \~s\~"),
        ("a\x1b[31m\u202eb", r"a\[31mb"),
        ("", ""),
    ],
    ids=str,
)
def test_escape_markdown(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@given(st.text(st.characters() | st.sampled_from("|`<>\\\n*_[]"), max_size=400))
def test_escaped_text_is_one_harmless_cell(text: str) -> None:
    cell = escape_markdown(text)

    assert "\n" not in cell
    assert not set("<>") & set(cell)
    # Outside of escapes there is nothing that Markdown would read as more than text.
    assert not set("|`*_[]~#\\") & set(re.sub(r"\\[\\`*_\[\]|~#]", "", cell))


def test_long_text_is_cut() -> None:
    assert escape_markdown("x" * 301) == "x" * 299 + "…"


def test_markdown_table() -> None:
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_frame_table_formats_values_and_escapes_text() -> None:
    frame = pd.DataFrame(
        {"na|me": ["a|b", None], "n": pd.array([1234567, None], dtype="Int64"), "x": [1234.5, None]}
    )

    assert frame_table(frame).splitlines()[2:] == [r"| a\|b | 1,234,567 | 1,234.50 |", "|  |  |  |"]
    assert frame_table(frame).startswith(r"| na\|me | n | x |")


def test_frame_table_says_how_much_it_leaves_out() -> None:
    table = frame_table(pd.DataFrame({"n": range(1060)}))

    assert table.endswith("… and 1,010 rows more")
    assert len(table.splitlines()) == 2 + 50 + 2


def test_image_holds_the_bytes() -> None:
    png = b"\x89PNG..."

    found = re.fullmatch(r"!\[a\\\]b\]\(data:image/png;base64,(.*)\)", image("a]b", png))

    assert found
    assert base64.b64decode(found[1]) == png


def test_an_image_too_large_for_an_artifact_is_left_out() -> None:
    assert image("plot", b"x" * 150_001) == "*plot: 150.0 kB, too large to show here*"
    assert len(image("plot", b"x" * 150_000)) < 200_100


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_481_495, "2.5 MB"), (10**13, "10.0 TB")],
)
def test_human_bytes(size: int, shown: str) -> None:
    assert human_bytes(size) == shown


def test_short_digest() -> None:
    assert short_digest(f"sha256:{'ab' * 32}") == "`abababababab`"


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (
            ("project_alpha.ingestion.public_api_data",),
            "project-alpha-ingestion-public-api-data",
        ),
        (("Project Alpha", "Manifests"), "project-alpha-manifests"),
        (("--a__b--", "", "c/"), "a-b-c"),
    ],
)
def test_artifact_key(parts: tuple[str, ...], key: str) -> None:
    assert artifact_key(*parts) == key


@given(st.lists(st.text(), min_size=1))
def test_artifact_keys_are_those_that_prefect_allows(parts: list[str]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", artifact_key("x", *parts))


def test_no_key_from_nothing() -> None:
    with pytest.raises(ConfigError):
        artifact_key("é", "-")
