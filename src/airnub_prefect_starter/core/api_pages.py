"""The pages of a JSON API, one after the other, each checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airnub_prefect_starter.common.errors import PayloadError, TooLargeError
from airnub_prefect_starter.core.fetching import SNIFF_BYTES, check_promise
from airnub_prefect_starter.core.http import headers as fields
from airnub_prefect_starter.core.http.answer import Headers
from airnub_prefect_starter.core.http.client import SourceSession
from airnub_prefect_starter.core.http.document import Document, read_document
from airnub_prefect_starter.core.http.urls import with_params
from airnub_prefect_starter.core.json_text import canonical_line, lookup, parse_json
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.sources import (
    ApiSource,
    CursorPaging,
    LinkPaging,
    NoPaging,
    OffsetPaging,
    PageNumberPaging,
)

Item = Mapping[str, Any]


@dataclass(frozen=True)
class ApiPage:
    """One page: its items as canonical lines, and what is recorded of the answer."""

    lines: bytes
    count: int
    about: Source
    next_url: str | None


@dataclass
class _Progress:
    pages: int = 0
    items: int = 0
    total: int | None = None
    seen: set[str] = field(default_factory=set)


def first_url(source: ApiSource) -> str:
    """Return the address of the first page."""
    params = dict(source.params)
    paging = source.paging
    if isinstance(paging, NoPaging):
        return with_params(source.url, params)
    if paging.size_param is not None and paging.size is not None:
        params[paging.size_param] = str(paging.size)
    if isinstance(paging, PageNumberPaging):
        params[paging.page_param] = str(paging.first_page)
    if isinstance(paging, OffsetPaging):
        params[paging.offset_param] = "0"
    return with_params(source.url, params)


def fetch_api_pages(
    session: SourceSession, source: ApiSource, conditions: Headers | None = None
) -> Iterator[ApiPage]:
    """Read an API's pages to the last one; nothing at all if the first one is unchanged.

    Args:
        session: Whom to ask.
        source: How it pages, and where its items and their total are.
        conditions: Validators, sent with the first page.

    Raises:
        PayloadError: A page is not JSON or not as the source says, comes twice, or the items are
            not as many as the API says there are. No retry.
        TooLargeError: A page is too large or nests too deeply, or there are too many. No retry.
        SourceError: As for `SourceSession.get`.
    """
    progress = _Progress()
    url: str | None = first_url(source)
    while url is not None:
        _check_page_count(source, progress)
        document = read_document(session, url, source.max_page_bytes, conditions)
        if document is None:
            return
        page = _read_page(source, document, progress)
        yield page
        url, conditions = page.next_url, None
    _check_total(source, progress)


def _read_page(source: ApiSource, document: Document, progress: _Progress) -> ApiPage:
    check_promise(source, document.about, document.body[:SNIFF_BYTES])
    what = document.about.final_url
    body = parse_json(document.body, what)
    items = _items(source, body, what)
    lines = b"".join(canonical_line(item, what) for item in items)
    progress.pages += 1
    progress.items += len(items)
    progress.total = _total(source, body, document)
    if items:
        _refuse_repetition(hashlib.sha256(lines).hexdigest(), progress, what)
    next_url = _next_url(source, body, document, progress, len(items))
    if next_url is not None:
        _refuse_repetition(next_url, progress, what)
    return ApiPage(lines, len(items), document.about, next_url)


def _items(source: ApiSource, body: Any, what: str) -> list[Item]:
    found = lookup(body, source.items_path, what)
    if isinstance(found, dict) and isinstance(source.paging, NoPaging):
        found = [found]
    if not isinstance(found, list):
        where = repr(source.items_path) if source.items_path else "the top level"
        raise PayloadError(
            f"{what} has no list at {where}", "Correct `items_path` in the source's configuration"
        )
    for number, item in enumerate(found):
        if not isinstance(item, dict):
            raise PayloadError(
                f"Item {number} of {what} is not an object but {type(item).__name__}",
                "Correct `items_path` in the source's configuration",
            )
    return found


def _total(source: ApiSource, body: Any, document: Document) -> int | None:
    what = document.about.final_url
    found: object = None
    if source.total_path is not None:
        found = lookup(body, source.total_path, what)
    elif source.total_header is not None:
        value = fields.text(document.headers, source.total_header) or ""
        found = int(value) if value.isascii() and value.isdigit() else None
    else:
        return None
    if not isinstance(found, int) or isinstance(found, bool):
        raise PayloadError(
            f"{what} does not say how many items there are",
            "Correct `total_path` or `total_header` in the source's configuration",
        )
    return found


def _next_url(
    source: ApiSource, body: Any, document: Document, progress: _Progress, count: int
) -> str | None:
    paging = source.paging
    match paging:
        case NoPaging():
            return None
        case LinkPaging():
            return fields.next_link(document.headers, document.url)
        case CursorPaging():
            cursor = _cursor(paging, body, document, progress)
            return cursor and with_params(first_url(source), {paging.cursor_param: cursor})
    if count == 0 or (progress.total is not None and progress.items >= progress.total):
        return None
    if isinstance(paging, OffsetPaging):
        return with_params(first_url(source), {paging.offset_param: str(progress.items)})
    number = paging.first_page + progress.pages
    return with_params(first_url(source), {paging.page_param: str(number)})


def _cursor(paging: CursorPaging, body: Any, document: Document, progress: _Progress) -> str | None:
    what = document.about.final_url
    try:
        found = lookup(body, paging.next_path, what)
    except PayloadError:
        # Some APIs leave it out on the last page. On the first one it may as well be misspelt, and
        # the other pages would go missing silently, unless the total will tell.
        if progress.pages == 1 and progress.total is None:
            raise
        return None
    if found is None or found in ("", False):
        return None
    if isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool)):
        return str(found)
    raise PayloadError(
        f"{what} has a cursor that is neither text nor a whole number",
        "Correct `paging.next_path` in the source's configuration",
    )


def _refuse_repetition(sign: str, progress: _Progress, what: str) -> None:
    if sign in progress.seen:
        raise PayloadError(
            f"{what}, page {progress.pages}, repeats an earlier page or leads back to one",
            "Check `paging` in the source's configuration",
        )
    progress.seen.add(sign)


def _check_page_count(source: ApiSource, progress: _Progress) -> None:
    if progress.pages >= source.max_pages:
        raise TooLargeError(
            f"{redact_url(source.url)} has more than {source.max_pages:,} pages",
            "Raise `max_pages` of the source if it has",
        )


def _check_total(source: ApiSource, progress: _Progress) -> None:
    if progress.total is not None and progress.items != progress.total:
        raise PayloadError(
            f"{redact_url(source.url)} promised {progress.total:,} items and sent "
            f"{progress.items:,} on {progress.pages:,} pages",
            "Run it again: the collection may have changed meanwhile; else check `paging`",
        )
