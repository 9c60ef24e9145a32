"""Files: from an address into the store, hashed while they come in."""

from __future__ import annotations

from functools import partial

from pydantic import SecretStr

from airnub_prefect_starter.common.addresses import is_file_address
from airnub_prefect_starter.core.fetching import (
    NO_RUN,
    check_nonempty,
    check_promise,
    conditions,
    head_of,
    result,
    shared_client,
    twice_if_damaged,
)
from airnub_prefect_starter.core.http import headers as fields
from airnub_prefect_starter.core.http.client import HttpClient, SourceSession
from airnub_prefect_starter.core.http.download import download
from airnub_prefect_starter.core.local_files import core_store_local_file
from airnub_prefect_starter.core.manifest_models import OCTET_STREAM, RunInfo, Source, SourceResult
from airnub_prefect_starter.core.sources import HttpSource
from airnub_prefect_starter.core.store import FetchCommit, Store


def core_download_hash_store_and_manifest(
    store: Store,
    source: HttpSource,
    *,
    namespace: str,
    run: RunInfo = NO_RUN,
    auth: SecretStr | None = None,
    client: HttpClient | None = None,
) -> SourceResult:
    """Download a file if it changed; store its bytes with a manifest, and point its ref at them.

    The bytes are those of the wire: a server that compresses although it was asked not to gets
    its ``content_encoding`` recorded in the manifest. If anything fails the ref stays as it was
    and nothing is stored. A file on this machine (``file:///``) is read each time.

    Args:
        store: Where to.
        source: Where from, and what is promised and allowed.
        namespace: The category's namespace in the store.
        run: Which run this is.
        auth: The value of the secret that the source names.
        client: What to ask with; one for the process by default.

    Raises:
        SourceError: The source cannot be had, or is not what was promised; see `common.errors`
            for which kinds a retry helps.
        DigestMismatchError: The bytes are not those that were expected or claimed, twice. No retry.
        StoreError: They cannot be stored.
        ConfigError: The secret is missing or unusable. No retry.
    """
    if is_file_address(source.url):
        return core_store_local_file(store, source, namespace=namespace, run=run)
    with (client or shared_client()).open(source, auth) as session:
        attempt = partial(_fetch, store, source, namespace, run, session)
        return twice_if_damaged(session, attempt)


def _fetch(
    store: Store, source: HttpSource, namespace: str, run: RunInfo, session: SourceSession
) -> SourceResult:
    wanted = conditions(store, namespace, source, source.url)
    with store.spool() as spool:
        about = download(session, spool, wanted)
        if about is None:
            committed = store.unchanged(namespace, source.source_id)
            return result(session, committed, namespace=namespace)
        check_promise(source, about, head_of(spool))
        check_nonempty(source, spool.size)
        committed = store.commit_fetch(
            FetchCommit(
                namespace=namespace,
                source_id=source.source_id,
                source=about,
                spool=spool,
                media_type=_media_type(source, about),
                expected=source.expected_digest,
                run=run,
            )
        )
        return result(session, committed, namespace=namespace)


def _media_type(source: HttpSource, about: Source) -> str:
    claimed = fields.media_type({"Content-Type": about.content_type or ""})
    return source.media_type or claimed or OCTET_STREAM
