"""Addresses as text: which are well formed, and their parts."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, unquote_plus, urlencode, urlsplit, urlunsplit

from airnub_prefect_starter.common.errors import BlockedUrlError
from airnub_prefect_starter.core.redaction import redact_url

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARACTERS = 8192


def check_url_text(url: str) -> str:
    """Return an address of a configuration file if it is http(s) and holds no credentials.

    One that still holds a ``${NAME}`` is left for later.

    Raises:
        ValueError: It is neither; the message does not repeat it.
    """
    if "${" in url:
        return url
    try:
        split_url(url)
    except BlockedUrlError as error:
        raise ValueError(str(error)) from None
    return url


def split_url(url: str) -> SplitResult:
    """Take an address apart.

    Raises:
        BlockedUrlError: Not http(s), no host, a bad port, credentials in it, or far too long.
            No retry.
    """
    shown = redact_url(url)
    if len(url) > MAX_URL_CHARACTERS:
        raise BlockedUrlError(
            f"An address of {len(url):,} characters", f"Use at most {MAX_URL_CHARACTERS:,}"
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BlockedUrlError(f"{shown} is not an address", "Correct it") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise BlockedUrlError(f"{shown} is neither http nor https", "Use an http(s) address")
    if not host:
        raise BlockedUrlError(f"{shown} names no host", "Use an address such as https://host/path")
    if "@" in parts.netloc:
        raise BlockedUrlError(
            f"{shown} was written with credentials before its host",
            "Name a secret under `auth` instead",
        )
    return parts


def origin(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port: what credentials belong to (RFC 6454)."""
    parts = split_url(url)
    return parts.scheme, host_of(parts), parts.port or DEFAULT_PORTS[parts.scheme]


def host_of(parts: SplitResult) -> str:
    """Give the host in lower case without a trailing dot."""
    return (parts.hostname or "").rstrip(".")


def with_params(url: str, params: Mapping[str, str]) -> str:
    """Return an address with query parameters set, in place of those of the same names."""
    parts = urlsplit(url)
    kept = [
        each
        for each in parts.query.split("&")
        if each and unquote_plus(each.partition("=")[0]) not in params
    ]
    query = "&".join([*kept, urlencode(params)] if params else kept)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
