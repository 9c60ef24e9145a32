"""Header values that a stranger wrote, parsed; what is malformed counts as absent."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import Message
from email.utils import collapse_rfc2231_value, parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from airnub_prefect_starter.common.utils import sanitize_filename

MAX_VALUE_CHARACTERS = 1024
MAX_LINK_CHARACTERS = 16_384

_ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e\x80-\xff]*"|[\x21\x23-\x7e]+')
_REPR_SHA256 = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]{44}):")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w*-]+\s*(?:=\s*(?:"[^"]*"|[^\s",;]*))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))', re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")

Headers = Mapping[str, str]


class ContentRange(NamedTuple):
    """Which bytes a part holds, from the first to the last one, and how many there are in all."""

    first: int
    last: int
    total: int | None


def text(headers: Headers, name: str) -> str | None:
    """Return a header's value if it is short and printable."""
    value = headers.get(name, "").strip()
    if not value or len(value) > MAX_VALUE_CHARACTERS or not value.isprintable():
        return None
    return value


def etag(headers: Headers) -> str | None:
    """Return the ETag as received, quotes and ``W/`` included (RFC 9110, 8.8.3)."""
    value = text(headers, "ETag")
    return value if value and _ETAG.fullmatch(value) else None


def is_strong(validator: str | None) -> bool:
    """Tell whether an ETag may be used to join parts of a body: quoted and not weak."""
    return validator is not None and validator.startswith('"')


def media_type(headers: Headers) -> str | None:
    """Return the media type alone, in lower case."""
    value = (text(headers, "Content-Type") or "").partition(";")[0].strip().lower()
    return value if _MEDIA_TYPE.fullmatch(value) else None


def claimed_digest(headers: Headers) -> str | None:
    """Return ``sha256:<hex>`` from Repr-Digest (RFC 9530); other algorithms are not verified."""
    found = _REPR_SHA256.search(headers.get("Repr-Digest", ""))
    if not found:
        return None
    try:
        raw = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return None
    return f"sha256:{raw.hex()}" if len(raw) == 32 else None


def content_range(headers: Headers) -> ContentRange | None:
    """Return the place of a part (RFC 9110, 14.4)."""
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if not found:
        return None
    return ContentRange(int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3]))


def content_length(headers: Headers) -> int | None:
    """Return the announced length in bytes; chunks announce none (RFC 9112, 6.3)."""
    if "Transfer-Encoding" in headers:
        return None
    value = headers.get("Content-Length", "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None


def retry_after_s(headers: Headers, now: datetime) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(timedelta(0), moment - now).total_seconds()


def next_link(headers: Headers, base_url: str) -> str | None:
    """Return the absolute target of ``rel="next"`` of a Link header (RFC 8288)."""
    for target, parameters in _LINK.findall(headers.get("Link", "")[:MAX_LINK_CHARACTERS]):
        relation = _REL.search(parameters)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return urljoin(base_url, str(target))
    return None


def filename(headers: Headers, url: str) -> str:
    """Return a safe name for a body: ``filename*``, else ``filename``, else the path's last part.

    Source: RFC 6266. The name is for people; nothing is ever stored under it.
    """
    return sanitize_filename(_disposition(headers) or unquote(urlsplit(url).path))


def _disposition(headers: Headers) -> str:
    message = Message()
    message["Content-Disposition"] = _as_utf8(headers.get("Content-Disposition", ""))
    parameters = message.get_params(failobj=[], header="Content-Disposition")
    # An extended value is a tuple, which the stubs do not know.
    names: list[Any] = [value for name, value in parameters if name.lower() == "filename"]
    extended = [each for each in names if isinstance(each, tuple)]
    return collapse_rfc2231_value((extended or names or [""])[0], errors="replace")


def _as_utf8(value: str) -> str:
    # Many servers put UTF-8 where the RFC allows ASCII only; http.client reads it as Latin-1.
    clean = "".join(char if char.isprintable() else " " for char in value)[:MAX_VALUE_CHARACTERS]
    try:
        return clean.encode("latin-1").decode()
    except UnicodeError:
        return clean
