from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import BlockedUrlError
from airnub_prefect_starter.core.http.urls import (
    check_url_text,
    origin,
    split_url,
    with_params,
)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h/p", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("/p", "neither http nor https"),
        ("http:///p", "names no host"),
        ("http://user:pw@h/p", "with credentials"),
        ("http://h:99999/", "not an address"),
        ("http://[::1/", "not an address"),
        ("http://h/" + "x" * 9_000, "characters"),
    ],
)
def test_addresses_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(BlockedUrlError, match=reason) as caught:
        split_url(url)

    assert "pw" not in str(caught.value)
    with pytest.raises(ValueError, match=reason):
        check_url_text(url)


def test_an_address_that_is_still_to_be_resolved_is_left_alone() -> None:
    assert check_url_text("${SOURCES_URL}/p") == "${SOURCES_URL}/p"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Host./p", ("http", "host", 80)),
        ("https://host", ("https", "host", 443)),
        ("http://host:8080/", ("http", "host", 8080)),
    ],
)
def test_origin(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("http://h/p", {}, "http://h/p"),
        ("http://h/p", {"a": "1 2"}, "http://h/p?a=1+2"),
        ("http://h/p?a=1&b=2", {"a": "3"}, "http://h/p?b=2&a=3"),
        ("http://h/p?b=%20", {}, "http://h/p?b=%20"),
    ],
)
def test_with_params(url: str, params: dict[str, str], expected: str) -> None:
    assert with_params(url, params) == expected
