"""When each ref was last confirmed: an unchanged source is fresh, although nothing was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from airnub_prefect_starter.core.manifest_models import (
    DerivedResult,
    FetchManifest,
    RunReport,
    SourceResult,
)
from airnub_prefect_starter.core.store import Store

_LOOK_BACK = timedelta(days=30)


def recent_reports(
    store: Store, now: datetime, look_back: timedelta = _LOOK_BACK
) -> Iterator[RunReport]:
    """Read the reports of runs that began within some days; only those days are listed."""
    return store.reports(since=now - look_back)


def confirmations(reports: Iterator[RunReport]) -> dict[str, datetime]:
    """Give, per ref, when a run last found or made it as it is."""
    found: dict[str, datetime] = {}
    for report in reports:
        results: tuple[SourceResult | DerivedResult, ...] = (*report.results, *report.derived)
        for each in results:
            name = f"{each.namespace}/{each.source_id}"
            found[name] = max(found.get(name, report.finished_at), report.finished_at)
    return found


def last_fetched(
    store: Store, namespace: str, confirmed: Mapping[str, datetime]
) -> dict[str, datetime]:
    """Give, per source of a category, when it was last fetched or found unchanged.

    Raises:
        StoreError: The store cannot be read.
    """
    found = {}
    for of, source_id, ref in store.refs():
        if of != namespace:
            continue
        manifest = store.manifest(ref.manifest.digest)
        written = ref.updated_at
        if isinstance(manifest, FetchManifest):
            written = max(written, manifest.fetched_at)
        found[source_id] = max(written, confirmed.get(f"{of}/{source_id}", written))
    return found
