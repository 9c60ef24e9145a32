"""Databases: a table's rows into the store, one a line; later, only those that are new.

With a watermark the first read is followed by increments, each a blob and a manifest that continues
the one before. An increment begins with the rows at the last watermark, since others may have come
that have the same; only if nothing about them changed are they left out. So a row may stand in two
increments: the later one counts (`derivation.read_inputs`). Two things no watermark shows:
rows that were deleted, and rows that appear later with an older watermark, as those of a
transaction that was open for long.
"""

from __future__ import annotations

from pydantic import SecretStr

from airnub_prefect_starter.common.errors import PayloadError, StoreError
from airnub_prefect_starter.core.api_handlers import JSON_LINES
from airnub_prefect_starter.core.database.base import Base, described, find_base, rules
from airnub_prefect_starter.core.database.collect import Collected, collect
from airnub_prefect_starter.core.database.reader import open_table
from airnub_prefect_starter.core.fetching import NO_RUN
from airnub_prefect_starter.core.manifest_models import (
    RULES,
    RunInfo,
    SourceResult,
    TableColumn,
    TableRead,
    canonical_json,
)
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import Committed, FetchCommit, Store
from airnub_prefect_starter.core.store.digest import Digest


def core_fetch_table(
    store: Store,
    source: DatabaseSource,
    *,
    namespace: str,
    run: RunInfo = NO_RUN,
    auth: SecretStr | None = None,
) -> SourceResult:
    """Read a table and store its rows, one canonical JSON object a line, in order of its key.

    Equal rows give equal bytes, of SQLite or PostgreSQL. With a watermark only rows that came since
    the last read are read and stored; everything is read anew where that read is not whole any
    more, was configured otherwise, or has `max_increments`. If anything fails the ref stays as it
    was and nothing is stored.

    Args:
        store: Where to.
        source: Where from, which columns, and what is allowed.
        namespace: The category's namespace in the store.
        run: Which run this is.
        auth: The value of the secret that the source names: the password.

    Raises:
        SourceUnavailableError: The database cannot be reached, or was lost. A retry may help.
        TooSlowError: A statement took too long. A retry may help.
        SourceRejectedError: It refuses, or has no such table or column. No retry.
        PayloadError: A column or value cannot be written, the columns changed, the key is not
            unique, or there is no row. No retry.
        TooLargeError: There are more rows or bytes than allowed. No retry.
        StoreError: They cannot be stored.
    """
    with store.spool() as spool:
        with open_table(source, auth) as table:
            base = find_base(store, source, namespace, table.columns)
            since = base.watermark if base else None
            found = collect(spool, table, since)
        if base is not None and found.rows == 0:
            committed = store.unchanged(namespace, source.source_id)
        else:
            _check_nonempty(source, found)
            committed = store.commit_fetch(
                FetchCommit(
                    namespace=namespace,
                    source_id=source.source_id,
                    source=described(source),
                    spool=spool,
                    media_type=JSON_LINES,
                    run=run,
                    annotations={RULES: rules(source)},
                    table=_table_read(table.columns, found, base),
                )
            )
    return _result(source, namespace, committed, found)


def _check_nonempty(source: DatabaseSource, found: Collected) -> None:
    if source.require_nonempty and found.rows == 0:
        raise PayloadError(
            f"{source.full_name} has no rows",
            "Set `require_nonempty: false` for the source if that may be",
        )


def _table_read(columns: tuple[TableColumn, ...], found: Collected, base: Base | None) -> TableRead:
    schema = canonical_json([each.model_dump(mode="json") for each in columns])
    return TableRead(
        columns=columns,
        schema_digest=Digest.of(schema).text,
        rows=found.rows,
        watermark=found.watermark,
        continues=base.digest if base else None,
    )


def _result(
    source: DatabaseSource, namespace: str, committed: Committed, found: Collected
) -> SourceResult:
    ref = committed.ref
    if ref.blob is None:
        raise StoreError(
            f"{namespace}/{source.source_id} is a derivation, not a source",
            "Give the source another source_id",
        )
    return SourceResult(
        source_id=source.source_id,
        namespace=namespace,
        outcome=committed.outcome,
        manifest=ref.manifest.digest,
        blob=ref.blob,
        bytes_in=found.bytes_in,
        attempts=1,
    )
