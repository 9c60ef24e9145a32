"""Backfills: which dates of a range lack their data, as the store itself says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.core.departments import DEPARTMENTS, DepartmentEntry
from airnub_prefect_starter.core.run_date import is_dated, on_date
from airnub_prefect_starter.core.store import Store, layout
from airnub_prefect_starter.core.store.reachable import blobs_of

MAX_DATES = 1_000


@dataclass(frozen=True)
class DatedRef:
    """A ref for each date: its namespace and its source id with a ``{date}``."""

    namespace: str
    source_id: str

    def on(self, date: dt.date) -> tuple[str, str]:
        """Give the namespace and source id of a date's ref."""
        return self.namespace, on_date(self.source_id, date)


def require_backfills(entry: DepartmentEntry) -> None:
    """Accept a department that has a queue for backfills.

    Raises:
        ConfigError: It has none. No retry.
    """
    if entry.spec.backfill is None:
        raise ConfigError(
            f"{DEPARTMENTS / entry.name.id}.yaml: the department has no queue for backfills",
            "Add `backfill: {concurrency_limit: 2}` and run `airnub bootstrap`",
        )


def dates_between(
    first: dt.date, last: dt.date, *, today: dt.date, many: bool = False
) -> list[dt.date]:
    """List the dates of a range, both ends included.

    Args:
        first: The first date.
        last: The last one.
        today: The newest date that there can be.
        many: Whether more than 1,000 are meant.

    Raises:
        ConfigError: The range is empty, in the future, or longer than was meant. No retry.
    """
    if first > last:
        raise ConfigError(f"--from {first} is after --to {last}", "Exchange the two")
    if last > today:
        raise ConfigError(f"--to {last} is in the future", f"Give {today} (UTC) at most")
    count = (last - first).days + 1
    if count > MAX_DATES and not many:
        raise ConfigError(
            f"{first} to {last} are {count:,} dates, more than {MAX_DATES:,}",
            "Give a shorter range, or --yes if all are meant",
        )
    return [first + dt.timedelta(days=each) for each in range(count)]


def dated_refs(namespace: str, section: Any) -> Iterator[DatedRef]:
    """List what a category's configuration stores for each date anew.

    Args:
        namespace: The category's.
        section: Its configuration, JSON-like.
    """
    if isinstance(section, Mapping):
        source_id = section.get("source_id")
        if isinstance(source_id, str) and is_dated(source_id):
            yield DatedRef(namespace, source_id)
        for each in section.values():
            yield from dated_refs(namespace, each)
    elif isinstance(section, list):
        for each in section:
            yield from dated_refs(namespace, each)


def missing_data(
    store: Store, refs: Collection[DatedRef], dates: Iterable[dt.date]
) -> dict[dt.date, str]:
    """Find the dates of which something is not in the store, and say what.

    Raises:
        StoreError: The store cannot be read.
    """
    found = ((date, _why_missing(store, refs, date)) for date in dates)
    return {date: why for date, why in found if why}


def _why_missing(store: Store, refs: Iterable[DatedRef], date: dt.date) -> str:
    found = (_lost(store, *ref.on(date)) for ref in refs)
    return "; ".join(filter(None, found))


def _lost(store: Store, namespace: str, source_id: str) -> str:
    name = f"{namespace}/{source_id}"
    try:
        ref = store.ref(namespace, source_id)
        if ref is None:
            return f"{name} was never stored"
        manifest = store.manifest(ref.manifest.digest)
    except (ObjectNotFoundError, CorruptObjectError) as error:
        return f"{name}: {error.message}"
    for digest, size in blobs_of(manifest):
        stat = store.backend.stat(layout.blob_key(digest))
        if stat is None:
            return f"{name}: its blob {digest.hex[:12]} is gone"
        if size is not None and stat.size != size:
            return f"{name}: its blob {digest.hex[:12]} has {stat.size:,} bytes, not {size:,}"
    return ""
