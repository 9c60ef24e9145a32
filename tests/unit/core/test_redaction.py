from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.core.redaction import redact_query, redact_text, redact_url


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
        ("http://[::1]:81/p", "http://[::1]:81/p"),
        ("http://h:99999/p", "http://h:99999/p"),
        ("http://h/@name/p@2", "http://h/@name/p@2"),
        ("https://user:pa/ss@h/p?token=t&a=1", "https://h/p?a=1"),
        ("https://user:pa?s#s@h/p", "https://h/p"),
        ("https://user:pa", "https://..."),
        ("ftp://h/?api_key=k", "ftp://h/"),
        ("http://h/?a=1;token=t;b=2", "http://h/?a=1;b=2"),
        ("http://h/?&a=&;b", "http://h/?&a=&;b"),
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
    "name",
    [
        *("token", "auth_token", "accessToken", "x-access-token", "private_token", "jwt"),
        *("secret", "client-secret", "clientSecret", "password", "user_password", "pwd"),
        *("key", "api_key", "apikey", "X-Api-Key", "subscription-key", "AWSAccessKeyId"),
        *("sig", "X-Amz-Signature", "X-Amz-Credential", "X-Goog-Signature", "session_id", "code"),
    ],
)
def test_parameters_that_are_secrets(name: str) -> None:
    assert redact_query(f"a=1&{name}=v4lue&b=2") == "a=1&b=2"
    assert redact_query(f"a=1;{name}=v4lue") == "a=1"


@pytest.mark.parametrize("name", ["page", "limit", "keyword", "tokens", "author", "zipcode", "q"])
def test_parameters_that_are_none(name: str) -> None:
    assert redact_query(f"{name}=1") == f"{name}=1"


def test_every_address_of_a_text_is_redacted() -> None:
    text = "from http://u:p@h/ to ftp://h/?token=t, not C:/x"

    assert redact_text(text) == "from http://h/ to ftp://h/ not C:/x"
