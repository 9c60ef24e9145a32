"""A body into a spool, in one pass; what breaks off is resumed where that is safe."""

from __future__ import annotations

from airnub_prefect_starter.common.errors import (
    SourceUnavailableError,
    TooLargeError,
    TooSlowError,
    TruncatedBodyError,
)
from airnub_prefect_starter.core.http import headers as fields
from airnub_prefect_starter.core.http.answer import OK, Answer, Headers
from airnub_prefect_starter.core.http.client import SourceSession
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.store import Spool

READ_BYTES = 1 << 20
MAX_RESUMES = 5
FIRST_PAUSE_S = 0.2

_UNCHANGED = frozenset({304})
_RESUMED = frozenset({206, 416})


def describe(answer: Answer, asked: str) -> Source:
    """Return what is recorded of an answer: nothing of its other headers, and no token."""
    return Source(
        url=redact_url(asked),
        final_url=redact_url(answer.url),
        etag=fields.etag(answer.headers),
        last_modified=fields.text(answer.headers, "Last-Modified"),
        content_type=fields.text(answer.headers, "Content-Type"),
        content_encoding=content_encoding(answer),
        filename=fields.filename(answer.headers, answer.url),
        redirects=tuple(redact_url(each) for each in answer.redirects),
        claimed_digest=fields.claimed_digest(answer.headers),
    )


def content_encoding(answer: Answer) -> str | None:
    """Return how the body is encoded though nobody asked for that; None if it is not."""
    value = (fields.text(answer.headers, "Content-Encoding") or "").lower()
    return value if value not in ("", "identity") else None


def check_length(answer: Answer, already: int, max_bytes: int) -> None:
    """Refuse a body that announces itself as too large, before any of it is read.

    Raises:
        TooLargeError: It does. No retry.
    """
    announced = fields.content_length(answer.headers) or 0
    if already + announced > max_bytes:
        raise too_large(answer.url, max_bytes)


def too_large(url: str, max_bytes: int) -> TooLargeError:
    """Make the error for a body over its limit."""
    return TooLargeError(
        f"{redact_url(url)} is larger than {max_bytes:,} bytes",
        "Raise the limit of the source if it is that large",
    )


def download(session: SourceSession, spool: Spool, conditions: Headers) -> Source | None:
    """Fetch the source of a session into a spool.

    A body that breaks off or stalls is resumed, at most 5 times, each of which must have brought
    something, and only with a strong ETag: two halves of different versions must never be joined.

    Args:
        session: Whose source is fetched.
        spool: Empty; holds the whole body afterwards, as it came over the wire.
        conditions: Validators of what is there already; may be empty.

    Returns:
        What the answer said of the body, or None: it is unchanged.

    Raises:
        SourceError: As for `SourceSession.get`, and a body that is too large or truncated.
        NoSpaceError: The spool has no room. No retry.
    """
    return _Download(session, spool, conditions).run()


class _Download:
    def __init__(self, session: SourceSession, spool: Spool, conditions: Headers) -> None:
        self._session = session
        self._spool = spool
        self._conditions = conditions
        self._about: Source | None = None
        self._total: int | None = None

    def run(self) -> Source | None:
        for resumes in range(MAX_RESUMES):
            before = self._session.bytes_in
            try:
                if self._attempt():
                    return self._about
            except (SourceUnavailableError, TooSlowError):
                if not self._resumable or self._session.bytes_in == before:
                    raise
            self._session.client.sleep(FIRST_PAUSE_S * 2**resumes)
        self._attempt_last()
        return self._about

    def _attempt_last(self) -> None:
        if not self._attempt():
            raise SourceUnavailableError(
                f"{redact_url(self._session.source.url)} changes while it is read",
                "Try again later",
            )

    @property
    def _resumable(self) -> bool:
        return self._about is not None and fields.is_strong(self._about.etag)

    def _attempt(self) -> bool:
        """Read to the end; False if the part that was sent does not continue what is there."""
        resuming = self._about is not None
        accept = OK | (_RESUMED if resuming else _UNCHANGED if self._conditions else frozenset())
        url = self._session.source.url
        with self._session.get(url, self._headers(), accept=accept) as answer:
            if answer.status == 304:
                return True
            if answer.status in _RESUMED and not self._continues(answer):
                self._forget()
                return False
            if answer.status in OK:
                self._forget()
                self._about = describe(answer, url)
                self._total = fields.content_length(answer.headers)
            self._read(answer)
        self._require_whole()
        return True

    def _headers(self) -> Headers:
        if self._about is None:
            return self._conditions
        return {"Range": f"bytes={self._spool.size}-", "If-Range": self._about.etag or ""}

    def _continues(self, answer: Answer) -> bool:
        part = fields.content_range(answer.headers)
        if answer.status != 206 or self._about is None or part is None:
            return False
        # Without a total nobody could tell whether the last part was the last one.
        self._total = self._total or part.total
        return (
            self._total is not None
            and part.total in (None, self._total)
            and part.first == self._spool.size
            and fields.etag(answer.headers) in (None, self._about.etag)
            and content_encoding(answer) == self._about.content_encoding
        )

    def _forget(self) -> None:
        self._spool.reset()
        self._about = self._total = None
        # What was a reason for a 304 at first is none once the body was on its way.
        self._conditions = {}

    def _read(self, answer: Answer) -> None:
        max_bytes = self._session.source.limits.max_bytes
        check_length(answer, self._spool.size, max_bytes)
        while chunk := answer.read(READ_BYTES):
            self._session.bytes_in += len(chunk)
            if self._spool.size + len(chunk) > max_bytes:
                raise too_large(answer.url, max_bytes)
            self._spool.write(chunk)

    def _require_whole(self) -> None:
        # A server may answer a range with less of it than was asked for (RFC 9110, 15.3.7).
        if self._total is not None and self._spool.size != self._total:
            raise TruncatedBodyError(
                f"{redact_url(self._session.source.url)} sent {self._spool.size:,} of "
                f"{self._total:,} bytes",
                "Try again later",
            )
