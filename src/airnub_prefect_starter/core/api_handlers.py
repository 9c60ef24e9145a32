"""JSON APIs: all pages of one source into the store as one document, an item a line."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import SecretStr

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.api_pages import ApiPage, fetch_api_pages, first_url
from airnub_prefect_starter.core.fetching import (
    NO_RUN,
    check_nonempty,
    conditions,
    result,
    shared_client,
    twice_if_damaged,
)
from airnub_prefect_starter.core.http.client import HttpClient, SourceSession
from airnub_prefect_starter.core.http.download import too_large
from airnub_prefect_starter.core.json_text import parse_json
from airnub_prefect_starter.core.manifest_models import (
    RULES,
    FetchManifest,
    RunInfo,
    Source,
    SourceResult,
    canonical_json,
)
from airnub_prefect_starter.core.sources import ApiSource, NoPaging
from airnub_prefect_starter.core.store import FetchCommit, Spool, Store

JSON_LINES = "application/x-ndjson"

__all__ = ["JSON_LINES", "core_fetch_api_and_store", "fetch_api_pages", "parse_api_response"]


def core_fetch_api_and_store(
    store: Store,
    source: ApiSource,
    *,
    namespace: str,
    run: RunInfo = NO_RUN,
    auth: SecretStr | None = None,
    client: HttpClient | None = None,
) -> SourceResult:
    """Read an API if it changed and store its items, one canonical JSON object a line.

    Equal items give equal bytes, whatever the pages they came on. The first page's validators are
    used only where they speak for all pages: there is one, or the source says so.

    Args:
        store: Where to.
        source: Where from, how it pages, and what is promised and allowed.
        namespace: The category's namespace in the store.
        run: Which run this is.
        auth: The value of the secret that the source names.
        client: What to ask with; one for the process by default.

    Raises:
        SourceError: The source cannot be had, or is not what was promised; see `common.errors`
            for which kinds a retry helps.
        DigestMismatchError: A page is not what it claims, or the stored form not the one that was
            expected, twice. No retry.
        StoreError: It cannot be stored.
        ConfigError: The secret is missing or unusable. No retry.
    """
    with (client or shared_client()).open(source, auth) as session:
        attempt = partial(_fetch, store, source, namespace, run, session)
        return twice_if_damaged(session, attempt)


def parse_api_response(raw: bytes) -> list[dict[str, Any]]:
    """Read stored items back: one object a line.

    Raises:
        PayloadError: A line is not a JSON object; the message gives its number. No retry.
        TooLargeError: One nests too deeply. No retry.
    """
    items = []
    for number, line in enumerate(raw.splitlines(), start=1):
        item = parse_json(line, f"Stored line {number}")
        if not isinstance(item, dict):
            raise PayloadError(f"Stored line {number} is not an object", "Fetch the source again")
        items.append(item)
    return items


def _fetch(
    store: Store, source: ApiSource, namespace: str, run: RunInfo, session: SourceSession
) -> SourceResult:
    wanted = _conditions(store, source, namespace)
    with store.spool() as spool:
        collected = _collect(session, source, spool, wanted)
        if collected is None:
            committed = store.unchanged(namespace, source.source_id)
            return result(session, committed, namespace=namespace)
        check_nonempty(source, spool.size)
        about, annotations = collected
        committed = store.commit_fetch(
            FetchCommit(
                namespace=namespace,
                source_id=source.source_id,
                source=about,
                spool=spool,
                media_type=JSON_LINES,
                expected=source.expected_digest,
                run=run,
                annotations=annotations,
            )
        )
        return result(session, committed, namespace=namespace)


def _conditions(store: Store, source: ApiSource, namespace: str) -> dict[str, str]:
    wanted = conditions(store, namespace, source, first_url(source))
    ref = store.ref(namespace, source.source_id) if wanted and _one_validator(source) else None
    if ref is None:
        return {}
    # What is stored was cut out of the answer by these rules; by others it would be different.
    stored = store.manifest(ref.manifest.digest)
    same = isinstance(stored, FetchManifest) and stored.annotations.get(RULES) == _rules(source)
    return wanted if same else {}


def _collect(
    session: SourceSession, source: ApiSource, spool: Spool, wanted: dict[str, str]
) -> tuple[Source, dict[str, str]] | None:
    first: ApiPage | None = None
    pages = items = 0
    for page in fetch_api_pages(session, source, wanted):
        first = first or page
        pages, items = pages + 1, items + page.count
        if spool.size + len(page.lines) > source.limits.max_bytes:
            raise too_large(source.url, source.limits.max_bytes)
        spool.write(page.lines)
    if first is None:
        return None
    annotations = {"items": str(items), "pages": str(pages), RULES: _rules(source)}
    return _described(source, first.about), annotations


def _described(source: ApiSource, about: Source) -> Source:
    kept = (
        about
        if _one_validator(source)
        else about.model_copy(update={"etag": None, "last_modified": None})
    )
    return kept.model_copy(update={"filename": f"{source.source_id}.ndjson"})


def _one_validator(source: ApiSource) -> bool:
    return source.collection_validators or isinstance(source.paging, NoPaging)


def _rules(source: ApiSource) -> str:
    fields = {"paging", "items_path", "total_path", "total_header"}
    return canonical_json(source.model_dump(mode="json", include=fields)).decode()
