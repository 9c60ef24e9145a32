from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import BlockedUrlError
from airnub_prefect_starter.core.http.urls import (
    check_url_text,
    origin,
    redact_url,
    split_url,
    with_params,
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/p?a=1&b=2", "http://h/p?a=1&b=2"),
        ("http://user:pw@h:81/p", "http://h:81/p"),
        ("https://a@b@h/p#part", "https://h/p"),
        ("https://h/p?X-Amz-Signature=s&part=1&TOKEN=t", "https://h/p?part=1"),
        ("https://h/p?%74oken=t&api_key=k&x", "https://h/p?x"),
        ("https://h/p\x1b[31m", "https://h/p?[31m"),
        ("http://[::1", "(malformed address)"),
    ],
)
def test_redacted(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(st.text(), st.text(alphabet="abcdefgh0123456789", min_size=12))
def test_no_userinfo_or_token_survives(path: str, secret: str) -> None:
    shown = redact_url(f"https://user:{secret}@host/{path.replace(secret, '')}")
    assert secret not in shown
    assert secret not in redact_url(f"https://host/?a=1&token={secret}&b=2")


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
