"""All checks of data at once, from the Delta log where it says enough, else by bounded SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from airnub_prefect_starter.common.errors import StoreError, TableSchemaError
from airnub_prefect_starter.core.lake.lake import Lake, quoted
from airnub_prefect_starter.core.lake.snapshots import find_snapshot
from airnub_prefect_starter.core.monitoring.checks import (
    check_absent,
    check_duplicates,
    check_freshness,
    check_newest_batch,
    check_nulls,
    check_prefix,
    check_rejected,
    check_rows,
    check_schema,
    check_series,
    check_unreadable,
)
from airnub_prefect_starter.core.monitoring.config import (
    DataQualityChecks,
    PrefixWatch,
    SeriesWatch,
    SourceWatch,
    TableWatch,
)
from airnub_prefect_starter.core.monitoring.evidence import (
    confirmations,
    last_fetched,
    recent_reports,
)
from airnub_prefect_starter.core.monitoring.facts import TableFacts, table_facts
from airnub_prefect_starter.core.monitoring.profiles import Profile, check_drift
from airnub_prefect_starter.core.monitoring.references import reference_profile
from airnub_prefect_starter.core.monitoring.results import CheckResult
from airnub_prefect_starter.core.store import Store

Watch = TypeVar("Watch", TableWatch, PrefixWatch, SourceWatch, SeriesWatch)


@dataclass(frozen=True)
class Inspection:
    """What checks found, and the facts of the tables that they looked at."""

    results: tuple[CheckResult, ...]
    tables: tuple[TableFacts, ...]


class Inspector:
    """Runs the checks on one store.

    Args:
        store: The department's.
        namespace: Of the reference profiles.
        now: The time to which ages refer, aware.
    """

    def __init__(self, store: Store, namespace: str, now: datetime) -> None:
        self._store = store
        self._lake = Lake.of(store)
        self._namespace = namespace
        self._now = now
        self._confirmed = confirmations(recent_reports(store, now))

    def inspect(self, checks: DataQualityChecks) -> Inspection:
        """Run every check that is configured; what cannot be read is a critical finding.

        Raises:
            StoreError: The store does not answer just now. A retry may help.
        """
        facts: list[TableFacts] = []
        results = [
            *self._each(checks.tables, lambda watch: self._watched(watch, facts)),
            *self._each(checks.prefixes, self._prefix),
            *self._each(checks.sources, self._sources),
            *self._each(checks.series, self._series),
        ]
        return Inspection(tuple(results), tuple(facts))

    def _each(
        self, watches: Iterable[Watch], check: Callable[[Watch], Iterable[CheckResult]]
    ) -> Iterator[CheckResult]:
        for watch in watches:
            try:
                yield from list(check(watch))
            except StoreError as error:
                if error.transient:
                    raise
                yield check_unreadable(_subject(watch), str(error))

    def _watched(self, watch: TableWatch, facts: list[TableFacts]) -> Iterator[CheckResult]:
        if not self._lake.exists(watch.table):
            yield check_absent(watch.table, "such table")
            return
        found = table_facts(watch.table, self._lake.open(watch.table), watch.batches)
        facts.append(found)
        yield from self._table(watch, found)

    def _table(self, watch: TableWatch, facts: TableFacts) -> Iterator[CheckResult]:
        confirmed = self._confirmed.get(watch.ref or "", facts.written_at)
        last = max(facts.written_at, confirmed)
        yield check_freshness(
            watch.table, last, self._now, watch.freshness, how="written or confirmed"
        )
        yield check_rows(watch.table, facts.rows, watch.volume)
        batches = [(batch.name, batch.rows) for batch in facts.batches]
        newest = check_newest_batch(watch.table, batches, watch.volume)
        if newest:
            yield newest
        yield from check_nulls(watch.table, facts.null_shares(), watch.max_nulls, watch.nulls)
        snapshot = find_snapshot(self._store, watch.ref) if watch.ref else None
        if snapshot and snapshot.batches:
            yield from check_rejected(watch.table, snapshot.batches, watch.max_rejected)
        if watch.key and facts.rows:
            yield self._duplicates(watch, facts)
        if facts.rows:
            yield from self._against_reference(watch, facts)

    def _against_reference(self, watch: TableWatch, facts: TableFacts) -> Iterator[CheckResult]:
        profile: Profile = reference_profile(self._store, self._lake, watch, facts, self._namespace)
        yield check_schema(watch.table, facts.columns, profile.columns)
        if all(name in facts.columns for name in (*profile.numbers, *profile.categories)):
            batch = facts.batches[-1].name if watch.batches else None
            yield from check_drift(self._lake, watch, profile, batch)

    def _duplicates(self, watch: TableWatch, facts: TableFacts) -> CheckResult:
        key = ", ".join(map(quoted, watch.key))
        sql = f"SELECT count(*) AS keys FROM (SELECT 1 FROM t GROUP BY {key}) AS k"  # noqa: S608
        keys = int(self._lake.query(sql, {"t": watch.table})["keys"].iloc[0])
        return check_duplicates(watch.table, watch.key, facts.rows, keys, watch.max_duplicates)

    def _prefix(self, watch: PrefixWatch) -> Iterator[CheckResult]:
        objects = size = 0
        for stat in self._store.backend.list(watch.prefix):
            objects, size = objects + 1, size + stat.size
        yield check_prefix(watch, objects, size)

    def _sources(self, watch: SourceWatch) -> Iterator[CheckResult]:
        fetched = last_fetched(self._store, watch.namespace, self._confirmed)
        if not fetched:
            yield check_absent(watch.namespace, "source fetched by this category")
        for source_id, last in fetched.items():
            subject = f"{watch.namespace}/{source_id}"
            yield check_freshness(
                subject, last, self._now, watch.freshness, how="fetched or confirmed"
            )

    def _series(self, watch: SeriesWatch) -> Iterator[CheckResult]:
        if not self._lake.exists(watch.table):
            yield check_absent(watch.table, f"such table, for the series {watch.name}")
            return
        yield from check_series(watch, read_series(self._lake, watch))


def _subject(watch: Watch) -> str:
    if isinstance(watch, PrefixWatch):
        return watch.prefix
    return watch.namespace if isinstance(watch, SourceWatch) else watch.table


def read_series(lake: Lake, watch: SeriesWatch) -> list[tuple[str, float]]:
    """Read a series: label and value, oldest first; points without a value are left out.

    Raises:
        TableSchemaError: The SQL does not fit the table, or gives no labels with numbers. No retry.
        StoreError: The table cannot be read.
    """
    found = lake.query(watch.sql, {"t": watch.table})
    try:
        points = found[["label", "value"]].dropna(subset=["value"])
        return [
            (str(label), float(value))
            for label, value in zip(points["label"], points["value"], strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise TableSchemaError(
            f"The SQL of {watch.name!r} gives {', '.join(map(str, found.columns))}",
            "Let it give the columns label and value, a number",
        ) from error
