"""Web pages: read as robots.txt allows and politely, kept as they are, and taken apart."""

from __future__ import annotations

from functools import partial

from pydantic import SecretStr

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.fetching import (
    HTML_TYPES,
    NO_RUN,
    check_nonempty,
    conditions,
    result,
    shared_client,
    twice_if_damaged,
)
from airnub_prefect_starter.core.html import (
    Table,
    decode_html,
    detect_charset,
    extract_links,
    extract_tables,
    extract_text,
)
from airnub_prefect_starter.core.http import headers as fields
from airnub_prefect_starter.core.http.client import HttpClient, SourceSession
from airnub_prefect_starter.core.http.document import Document, read_document
from airnub_prefect_starter.core.manifest_models import RunInfo, SourceResult
from airnub_prefect_starter.core.sources import PageSource
from airnub_prefect_starter.core.store import FetchCommit, Store

__all__ = [
    "Table",
    "core_scrape_page_and_store",
    "decode_html",
    "extract_links",
    "extract_tables",
    "extract_text",
]


def core_scrape_page_and_store(
    store: Store,
    source: PageSource,
    *,
    namespace: str,
    run: RunInfo = NO_RUN,
    auth: SecretStr | None = None,
    client: HttpClient | None = None,
) -> SourceResult:
    """Read a web page if robots.txt allows it and it changed, and store its HTML.

    The bytes keep the page's own charset, which the manifest's annotation ``charset`` names.

    Args:
        store: Where to.
        source: Where from, and how politely.
        namespace: The category's namespace in the store.
        run: Which run this is.
        auth: The value of the secret that the source names.
        client: What to ask with; one for the process by default.

    Raises:
        SourceRejectedError: robots.txt forbids it or what it redirects to, or the page is not
            there. No retry.
        SourceError: The page cannot be had, or is not what was promised; see `common.errors` for
            which kinds a retry helps.
        DigestMismatchError: The bytes are not those that were expected or claimed, twice. No retry.
        StoreError: It cannot be stored.
        ConfigError: The secret is missing or unusable. No retry.
    """
    with (client or shared_client()).open(source, auth) as session:
        session.admit = partial(_ask_robots, session, source)
        attempt = partial(_fetch, store, source, namespace, run, session)
        return twice_if_damaged(session, attempt)


def _fetch(
    store: Store, source: PageSource, namespace: str, run: RunInfo, session: SourceSession
) -> SourceResult:
    wanted = conditions(store, namespace, source, source.url)
    with store.spool() as spool:
        page = read_document(session, source.url, source.max_page_bytes, wanted)
        if page is None:
            committed = store.unchanged(namespace, source.source_id)
            return result(session, committed, namespace=namespace)
        _check_html(source, page)
        spool.write(page.body)
        committed = store.commit_fetch(
            FetchCommit(
                namespace=namespace,
                source_id=source.source_id,
                source=page.about,
                spool=spool,
                media_type="text/html",
                expected=source.expected_digest,
                run=run,
                annotations={"charset": detect_charset(page.body, page.about.content_type)},
            )
        )
        return result(session, committed, namespace=namespace)


def _ask_robots(session: SourceSession, source: PageSource, url: str) -> None:
    """Refuse an address that robots.txt forbids, and slow down as it asks."""
    asked_s = session.client.robots.require_allowed(session.client, source, url).delay_s()
    delay_s = source.delay_s if asked_s is None else min(asked_s, source.max_crawl_delay_s)
    session.interval_s = max(session.interval_s, delay_s)


def _check_html(source: PageSource, page: Document) -> None:
    check_nonempty(source, len(page.body))
    claimed = fields.media_type(page.headers)
    if claimed is not None and claimed not in HTML_TYPES:
        raise PayloadError(
            f"{page.about.final_url} is {claimed}, not a web page", "Make it a file source instead"
        )
