"""Files of the machine that a run is on, as sources: where there is no server to ask."""

from __future__ import annotations

from pathlib import Path

from airnub_prefect_starter.common.addresses import path_of
from airnub_prefect_starter.common.errors import ConfigError, TooLargeError
from airnub_prefect_starter.common.utils import CHUNK_BYTES
from airnub_prefect_starter.core.fetching import (
    NO_RUN,
    check_nonempty,
    check_promise,
    head_of,
    source_result,
)
from airnub_prefect_starter.core.manifest_models import OCTET_STREAM, RunInfo, Source, SourceResult
from airnub_prefect_starter.core.sources import HttpSource
from airnub_prefect_starter.core.store import FetchCommit, Spool, Store


def core_store_local_file(
    store: Store, source: HttpSource, *, namespace: str, run: RunInfo = NO_RUN
) -> SourceResult:
    """Store a file's bytes with a manifest, and point the source's ref at them.

    The manifest has the file's name and not its folder: equal bytes have equal manifests on every
    machine.

    Raises:
        ConfigError: The file cannot be read. No retry.
        TooLargeError: It is over the source's limit. No retry.
        PayloadError: It is empty, or HTML where something else was promised. No retry.
        DigestMismatchError: The bytes are not those that are expected; nothing is stored. No retry.
        StoreError: They cannot be stored.
    """
    path = path_of(source.url)
    about = Source(url=f"file:{path.name}", final_url=f"file:{path.name}", filename=path.name)
    with store.spool() as spool:
        _copy(path, spool, source.limits.max_bytes)
        check_nonempty(source, spool.size)
        check_promise(source, about, head_of(spool))
        committed = store.commit_fetch(
            FetchCommit(
                namespace=namespace,
                source_id=source.source_id,
                source=about,
                spool=spool,
                media_type=source.media_type or OCTET_STREAM,
                expected=source.expected_digest,
                run=run,
            )
        )
    return source_result(source.source_id, committed, namespace=namespace)


def _copy(path: Path, spool: Spool, max_bytes: int) -> None:
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                if spool.size + len(chunk) > max_bytes:
                    raise TooLargeError(
                        f"{path} is larger than {max_bytes:,} bytes",
                        "Raise `limits.max_bytes` of the source if it is that large",
                    )
                spool.write(chunk)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "Give a file that can be read") from error
