"""Requests and answers as values, conditional requests and byte ranges (RFC 9110)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus

CSV = "text/csv; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

# 18 digits are more than any body has and no work to parse.
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True)
class Request:
    """What a client asks for; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    from_loopback: bool


@dataclass(frozen=True)
class Response:
    """An answer, and how the body leaves: whole, dripped or cut short.

    Args:
        status: HTTP status.
        headers: Header fields beside Date, Server and Content-Length.
        body: The body, also for HEAD (the server leaves it out).
        cut_after: Bytes after which the connection breaks, or None.
        drip: Whether the body leaves slowly, in small pieces.
    """

    status: HTTPStatus
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    drip: bool = False


class HttpError(Exception):
    """A request that is answered with an error status."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer, with the error as a problem document (RFC 9457)."""
        problem = {"detail": self.detail, "status": self.status, "title": self.status.phrase}
        headers = {"Content-Type": "application/problem+json", **self.headers}
        return Response(self.status, headers, json_bytes(problem))


@dataclass(frozen=True)
class Representation:
    """The current bytes of a resource and what identifies them.

    Args:
        body: The bytes.
        media_type: Content-Type.
        modified: Last change; a constant of the data, never the clock.
        version: Hexadecimal digest for the entity tag; that of the body by default.
        headers: Further header fields.
        is_file: Whether it is a download: Range requests and Repr-Digest.
    """

    body: bytes
    media_type: str
    modified: datetime
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_file: bool = False

    @cached_property
    def sha256(self) -> bytes:
        """SHA-256 of the body."""
        return hashlib.sha256(self.body).digest()

    @property
    def etag(self) -> str:
        """Strong entity tag."""
        return f'"{(self.version or self.sha256.hex())[:32]}"'

    @property
    def last_modified(self) -> str:
        """Last change as an HTTP date."""
        return format_datetime(self.modified.astimezone(UTC), usegmt=True)

    def answer(self, request: Request) -> Response:
        """Answer a GET or HEAD: 200, 206, 304 or 416.

        Source: RFC 9110 sections 13.2.2 (precedence) and 14.2 (Range is for GET alone).
        """
        validators = {"ETag": self.etag, "Last-Modified": self.last_modified}
        if self.is_fresh(request.headers):
            return Response(HTTPStatus.NOT_MODIFIED, validators)
        headers = {**validators, "Content-Type": self.media_type, **self.headers}
        if not self.is_file:
            return Response(HTTPStatus.OK, headers, self.body)
        digest = base64.b64encode(self.sha256).decode()
        headers |= {"Accept-Ranges": "bytes", "Repr-Digest": f"sha-256=:{digest}:"}
        whole = Response(HTTPStatus.OK, headers, self.body)
        return self._part(whole, request) if request.method == "GET" else whole

    def is_fresh(self, headers: Mapping[str, str]) -> bool:
        """Tell whether the client has these bytes already; the entity tag outranks the date."""
        tags = headers.get("if-none-match")
        if tags is not None:
            return tags.strip() == "*" or self.etag in _ENTITY_TAG.findall(tags)
        since = _http_date(headers.get("if-modified-since", ""))
        return since is not None and self.modified <= since

    def _part(self, whole: Response, request: Request) -> Response:
        size = len(self.body)
        span = self._requested(request.headers)
        if span is None:
            return whole
        if not span:
            raise HttpError(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                f"The range is outside the {size} bytes of this file",
                {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
            )
        place = {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}"}
        return replace(
            whole,
            status=HTTPStatus.PARTIAL_CONTENT,
            headers={**whole.headers, **place},
            body=self.body[span.start : span.stop],
        )

    def _requested(self, headers: Mapping[str, str]) -> range | None:
        """Return the bytes asked for (empty: none of them exist), or None for the whole."""
        found = _RANGE.fullmatch(headers.get("range", ""))
        condition = headers.get("if-range")
        if found is None or condition not in {None, self.etag, self.last_modified}:
            return None
        return _span(found[1], found[2], len(self.body))


def json_bytes(value: object) -> bytes:
    """Serialise a JSON value with sorted keys, no spaces, in UTF-8."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def _span(first: str, last: str, size: int) -> range | None:
    if not first:
        return range(max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        # RFC 9110 section 13.1.3: a condition that is not a date is ignored.
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
