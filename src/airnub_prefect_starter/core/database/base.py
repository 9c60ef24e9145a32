"""What an increment continues: the last read, if it is whole and of the same table."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    PayloadError,
)
from airnub_prefect_starter.core.database.url import recorded_url
from airnub_prefect_starter.core.increments import continued
from airnub_prefect_starter.core.manifest_models import (
    RULES,
    FetchManifest,
    Source,
    TableColumn,
    Watermark,
    canonical_json,
)
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Base:
    """What an increment continues: a manifest, and how far it came."""

    digest: str
    watermark: Watermark


def find_base(
    store: Store, source: DatabaseSource, namespace: str, columns: tuple[TableColumn, ...]
) -> Base | None:
    """Return what the next read continues; None where everything must be read.

    Raises:
        PayloadError: The columns are not those of the last read, which the source does not accept.
            No retry.
    """
    try:
        ref = store.ref(namespace, source.source_id)
        last = store.manifest(ref.manifest.digest) if ref else None
        if ref is None or not isinstance(last, FetchManifest) or not _is_of(last, source):
            return None
        watermark = _watermark(source, last, columns)
        if watermark is None or not _may_grow(store, source, last):
            return None
    except (CorruptObjectError, ObjectNotFoundError) as error:
        log.warning("%s; the table is read in full", error)
        return None
    return Base(ref.manifest.digest, watermark)


def described(source: DatabaseSource) -> Source:
    """Say where rows come from, as a manifest records it."""
    url = f"{recorded_url(source.url)}#{source.full_name}"
    return Source(url=url, final_url=url, filename=f"{source.source_id}.ndjson")


def rules(source: DatabaseSource) -> str:
    """Say how rows are cut out of the table: by other rules they are other bytes."""
    fields = {"table", "db_schema", "columns", "key", "watermark"}
    return canonical_json(source.model_dump(mode="json", include=fields)).decode()


def _is_of(manifest: FetchManifest, source: DatabaseSource) -> bool:
    same_place = manifest.source.url == described(source).url
    return same_place and manifest.annotations.get(RULES) == rules(source)


def _watermark(
    source: DatabaseSource, last: FetchManifest, columns: tuple[TableColumn, ...]
) -> Watermark | None:
    if last.table is None:
        return None
    changes = _changes(last.table.columns, columns)
    if changes and source.on_schema_change == "fail":
        raise PayloadError(
            f"The columns of {source.full_name} changed: {', '.join(changes)}",
            "Check what reads them, then set `on_schema_change: accept`, or name the `columns`",
        )
    return None if changes else last.table.watermark


def _changes(before: tuple[TableColumn, ...], now: tuple[TableColumn, ...]) -> list[str]:
    old: dict[str, str] = {each.name: each.kind for each in before}
    new: dict[str, str] = {each.name: each.kind for each in now}
    return [
        *(f"{name} ({new[name]}) is new" for name in new if name not in old),
        *(f"{name} ({old[name]}) is gone" for name in old if name not in new),
        *(
            f"{name} was {old[name]} and is {new[name]}"
            for name in new
            if old.get(name, new[name]) != new[name]
        ),
    ]


def _may_grow(store: Store, source: DatabaseSource, newest: FetchManifest) -> bool:
    """Tell whether there may be another increment, all before it being there.

    Raises:
        StoreError: A part is missing or has another size.
    """
    parts = [newest, *(each for _, each in continued(store, newest))]
    for part in parts:
        with store.open_blob(part.blob.digest, size=part.blob.size):
            pass  # raises where it is gone or has another size
    return len(parts) <= source.max_increments
