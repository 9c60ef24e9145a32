"""What stored web pages say and where they lead."""

from __future__ import annotations

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.html import (
    decode_html,
    extract_links,
    extract_tables,
    extract_text,
)
from airnub_prefect_starter.core.manifest_models import FetchManifest, SourceResult
from airnub_prefect_starter.core.store import Store


class PageFacts(ConfigModel):
    """A page: its links in order, the number of rows of each of its tables, its words."""

    source_id: str
    links: tuple[str, ...]
    table_rows: tuple[int, ...]
    words: int


def core_read_page(store: Store, result: SourceResult) -> PageFacts:
    """Read a stored page, verified.

    Raises:
        TooLargeError: It nests too deeply. No retry.
        StoreError: Its bytes or its manifest are missing or corrupt. No retry.
    """
    manifest = store.manifest(result.manifest)
    if not isinstance(manifest, FetchManifest):
        raise CorruptObjectError(
            f"{result.manifest} is not of a fetched page", "Run `airnub store verify`"
        )
    source = manifest.source
    html = decode_html(store.read_blob(result.blob.digest), source.content_type)
    return PageFacts(
        source_id=result.source_id,
        links=tuple(extract_links(html, source.final_url)),
        table_rows=tuple(len(table) for table in extract_tables(html)),
        words=len(extract_text(html).split()),
    )
