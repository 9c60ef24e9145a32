from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import ConfigError, PayloadError
from airnub_prefect_starter.core.examples.posts import (
    check_quality,
    extract_posts,
    load_posts,
    quality_markdown,
    transform_posts,
)

LONG = "many words " * 12


def _raw(*posts: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(post).encode() + b"\n" for post in posts)


@pytest.mark.parametrize(
    ("title", "body", "score"),
    [
        ("A title that is long", LONG, 1),
        ("short", LONG, 2 / 3),
        ("short", "word " * 11, 2 / 3),
        ("short", "a b c d e f g h i j k", 1 / 3),
        ("short", "too", 0),
    ],
)
def test_the_score_is_the_share_of_what_is_good(title: str, body: str, score: float) -> None:
    posts = transform_posts(_raw({"id": 1, "title": title, "body": body}))

    assert posts["quality_score"].tolist() == [pytest.approx(score)]


def test_posts_without_a_title_or_with_nulls_are_left_out() -> None:
    good = {"id": 1, "title": "t", "body": "b c"}
    posts = transform_posts(
        _raw(good, {**good, "title": "  "}, {**good, "body": None}, {"id": 4, "title": "t"})
    )

    assert posts["id"].tolist() == [1]
    assert posts["word_count"].tolist() == [2]


def test_no_posts_at_all_are_a_warning_and_no_failure() -> None:
    report = check_quality(transform_posts(_raw({"id": 1, "title": "", "body": "b"})), 1)

    assert (report.status, report.rows_out) == ("warning", 0)
    assert len(report.recommendations) == 4


def test_files_are_named_by_content(tmp_path: Path) -> None:
    raw = _raw({"id": 1, "title": "A title", "body": LONG})
    posts = transform_posts(raw)
    report = check_quality(posts, 1)

    first = load_posts(raw, posts, report, tmp_path)
    bytes_before = {path: path.read_bytes() for path in first.values()}
    second = load_posts(raw, posts, report, tmp_path)
    other = load_posts(raw + raw, posts, report, tmp_path)

    assert first == second
    assert {path: path.read_bytes() for path in second.values()} == bytes_before
    assert set(other.values()).isdisjoint(first.values())
    assert json.loads(first["raw"].read_bytes())[0]["title"] == "A title"
    assert "| raw |" in quality_markdown(report, first)


@pytest.mark.parametrize("values", [(1, "x"), ({}, {}), (1, 10**30)], ids=str)
def test_values_of_several_types_are_refused(tmp_path: Path, values: tuple[object, ...]) -> None:
    raw = _raw(*({"id": value, "title": "A title", "body": LONG} for value in values))
    posts = transform_posts(raw)

    with pytest.raises(PayloadError, match="make no table"):
        load_posts(raw, posts, check_quality(posts, 2), tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    raw = _raw({"id": 1, "title": "A title", "body": LONG})
    posts = transform_posts(raw)

    with pytest.raises(ConfigError, match="file/posts_raw"):
        load_posts(raw, posts, check_quality(posts, 1), taken)


@pytest.mark.parametrize(("body", "what"), [(b"{}", "no JSON list"), (b"[1]", "no JSON list")])
def test_a_file_of_something_else_is_refused(tmp_path: Path, body: bytes, what: str) -> None:
    file = tmp_path / "posts.json"
    file.write_bytes(body)

    with pytest.raises(PayloadError, match=what):
        extract_posts(file.as_uri())


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigError) as caught:
        extract_posts("http://user:hunter2@host/posts")

    assert "hunter2" not in str(caught.value)
