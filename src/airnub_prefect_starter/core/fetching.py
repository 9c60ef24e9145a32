"""What the handlers of files, APIs and pages share: between a source's answer and the store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

from airnub_prefect_starter.common.errors import DigestMismatchError, PayloadError, StoreError
from airnub_prefect_starter.core.http import headers as fields
from airnub_prefect_starter.core.http.client import HttpClient, SourceSession
from airnub_prefect_starter.core.manifest_models import RunInfo, Source, SourceResult
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.sources import HttpSource
from airnub_prefect_starter.core.store import Committed, Spool, Store

log = logging.getLogger(__name__)

NO_RUN = RunInfo()
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
SNIFF_BYTES = 1024


@cache
def shared_client() -> HttpClient:
    """Return the client that a process uses where none is given."""
    return HttpClient()


def twice_if_damaged(session: SourceSession, attempt: Callable[[], SourceResult]) -> SourceResult:
    """Make an attempt, and another one on a new connection if the first got the wrong bytes.

    They may have been damaged on the way; wrong once more, they are what the source has, and
    `DigestMismatchError` stands.

    Args:
        session: Whose connections are given up in between.
        attempt: Fetches and stores.
    """
    try:
        return attempt()
    except DigestMismatchError as error:
        log.warning("%s; %s is fetched once more", error.message, session.source.source_id)
    session.reconnect()
    return attempt()


def conditions(store: Store, namespace: str, source: HttpSource, url: str) -> dict[str, str]:
    """Return the headers that make a GET conditional on what is stored; empty if nothing counts.

    They count only if the store still has the bytes, they came from this very address, and they
    are those that the configuration expects.
    """
    found = store.validators(namespace, source.source_id)
    if found is None or found.url != redact_url(url):
        return {}
    if source.expected_digest not in {None, found.digest}:
        return {}
    named = {"If-None-Match": found.etag, "If-Modified-Since": found.last_modified}
    return {name: value for name, value in named.items() if value}


def check_promise(source: HttpSource, about: Source, head: bytes) -> None:
    """Refuse an error or login page that came with status 200 instead of what was promised.

    Args:
        source: Says what is promised.
        about: Says what the server claims to have sent.
        head: The first bytes of the body.

    Raises:
        PayloadError: HTML came and something else was promised. No retry.
    """
    promised = source.media_type
    if promised is None or promised in HTML_TYPES:
        return
    claimed = fields.media_type({"Content-Type": about.content_type or ""})
    if claimed in HTML_TYPES or looks_like_html(head):
        raise PayloadError(
            f"{redact_url(source.url)} sent HTML where {promised} was promised",
            "Open the address in a browser: it may ask for a login or show an error",
        )


def check_nonempty(source: HttpSource, size: int) -> None:
    """Refuse an empty body, unless the configuration says that it may be.

    Raises:
        PayloadError: It is empty. No retry.
    """
    if source.require_nonempty and size == 0:
        raise PayloadError(
            f"{redact_url(source.url)} is empty",
            "Set `require_nonempty: false` for the source if it may be",
        )


def looks_like_html(head: bytes) -> bool:
    """Tell whether bytes begin as an HTML document does."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:16].lower()
    return start.startswith((b"<!doctype html", b"<html"))


def head_of(spool: Spool) -> bytes:
    """Return the first bytes of a spool."""
    with spool.reader() as reader:
        return reader.read(SNIFF_BYTES)


def result(session: SourceSession, committed: Committed, *, namespace: str) -> SourceResult:
    """Tell how a source fared that was asked over the network.

    Raises:
        StoreError: Its ref is not that of a fetched source. No retry.
    """
    return source_result(
        session.source.source_id,
        committed,
        namespace=namespace,
        bytes_in=session.bytes_in,
        attempts=session.attempts,
    )


def source_result(
    source_id: str, committed: Committed, *, namespace: str, bytes_in: int = 0, attempts: int = 1
) -> SourceResult:
    """Tell how a source fared; without counts, one that was read where the run is.

    Raises:
        StoreError: Its ref is not that of a fetched source. No retry.
    """
    ref = committed.ref
    if ref.blob is None:
        raise StoreError(
            f"{namespace}/{source_id} is a derivation, not a source",
            "Give the source another source_id",
        )
    return SourceResult(
        source_id=source_id,
        namespace=namespace,
        outcome=committed.outcome,
        manifest=ref.manifest.digest,
        blob=ref.blob,
        bytes_in=bytes_in,
        attempts=attempts,
    )
