"""Addresses as they may be written down, in messages, logs and manifests: without secrets."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit, urlunsplit

# Query parameters that are a secret, or half of one; compared in lower case, without - and _.
_SECRET = re.compile(
    r".*(token|secret|signature|password|key|credential)"
    r"|jwt|sig|auth|authorization|code|passwd|pwd|session|sessionid|sid|awsaccesskeyid"
)
_PARAMETER = re.compile(r"[^&;]+[&;]?|[&;]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*")
# What follows a host and is no port is the first part of a password that holds a /, ? or #.
_NOT_A_PORT = re.compile(r":(?!\d*\Z)[^\]]*\Z", re.ASCII)


def redact_url(url: str) -> str:
    """Return an address as it may be written down: no credentials, tokens, fragment or controls."""
    printable = "".join(char if char.isprintable() else "?" for char in url)
    try:
        parts = urlsplit(printable)
    except ValueError:
        return "(malformed address)"
    netloc = parts.netloc.rpartition("@")[2]
    if _NOT_A_PORT.search(netloc):
        _, at, rest = printable.rpartition("@")
        return redact_url(f"{parts.scheme}://{rest}") if at else f"{parts.scheme}://..."
    return urlunsplit((parts.scheme, netloc, parts.path, redact_query(parts.query), ""))


def redact_query(query: str) -> str:
    """Drop the parameters of a query that are secrets."""
    kept = [each for each in _PARAMETER.findall(query) if not _is_secret(each)]
    return "".join(kept).rstrip("&;")


def redact_text(text: str) -> str:
    """Redact every address in a text."""
    return _ADDRESS.sub(lambda found: redact_url(found[0]), text)


def _is_secret(parameter: str) -> bool:
    name = unquote_plus(parameter.partition("=")[0]).strip("&;").lower()
    return _SECRET.fullmatch(name.replace("-", "").replace("_", "")) is not None
