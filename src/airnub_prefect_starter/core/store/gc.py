"""Garbage collection in two phases, safe while others write, without a lock.

``mark`` lists what nothing refers to and what is older than ``min_age``. ``sweep``, at least half
of ``min_age`` later, looks again and removes only what is on such a list, still unreferenced and
untouched since. Writers close the gap from their side: one that finds its bytes there already
touches them, before it refers to them. A run must therefore not be longer than a quarter of
``min_age`` (6 h at the least value).

Roots are refs, pins, manifests younger than ``min_age``, the inputs of every derived manifest that
stays, and what every increment that stays continues; ``previous`` keeps nothing, but for
``keep_last``. Quarantine, trash and the reserved prefixes are not touched; ``expire_results`` is
for ``results/``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airnub_prefect_starter.common.errors import ConfigError, StoreUnavailableError
from airnub_prefect_starter.core.manifest_models import canonical_json
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.objects import MIN_AGE_FLOOR
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.reachable import derived_first, live_keys
from airnub_prefect_starter.core.store.store import Store

MIN_AGE = timedelta(days=7)
TEMP_AGE = timedelta(hours=24)
RESULT_AGE = timedelta(days=14)
MAX_SKEW = timedelta(minutes=5)
_SWEEP_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the first phase found, and the key of the list that it wrote (None if it is empty)."""

    key: Key | None
    manifests: int
    blobs: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What the second phase removed, or would remove where ``applied`` is False.

    ``spared`` were candidates and are in use again; ``waiting`` lists are not old enough yet;
    ``temps`` are unfinished files older than a day.
    """

    applied: bool
    manifests: int
    blobs: int
    size_bytes: int
    spared: int
    waiting: int
    temps: int


@dataclass(frozen=True, slots=True)
class Expired:
    """Task results that were removed, or would be where ``applied`` is False."""

    applied: bool
    results: int
    size_bytes: int


def mark(store: Store, *, min_age: timedelta = MIN_AGE, keep_last: int = 1) -> Candidates:
    """Write the list of what nothing refers to; the first phase, which removes nothing.

    Args:
        store: The store.
        min_age: Younger objects are left alone; at least 24 h.
        keep_last: How many manifests of each ref stay, with their blobs.

    Raises:
        ConfigError: ``min_age`` is too short, or the clocks differ by over 5 minutes. No retry.
        StoreError: A ref or manifest cannot be read; what it refers to is not known, so nothing
            is listed. No retry before `airnub store verify` has found out.
    """
    now = _storage_time(store, min_age)
    old = {stat.key: stat for stat in _objects(store) if _time(stat) < now - min_age}
    doomed = {key for key in old if key.startswith(layout.MANIFESTS)}
    live = live_keys(store, doomed, keep_last)
    found = [stat for key, stat in old.items() if key not in live]
    key = _write_candidates(store, now, found) if found else None
    manifests = sum(stat.key.startswith(layout.MANIFESTS) for stat in found)
    return Candidates(key, manifests, len(found) - manifests, sum(stat.size for stat in found))


def sweep(
    store: Store,
    *,
    apply: bool = False,
    trash: bool = False,
    min_age: timedelta = MIN_AGE,
    keep_last: int = 1,
) -> Swept:
    """Remove what was listed at least half of ``min_age`` ago and still is unreferenced.

    Args:
        store: The store.
        apply: Remove; otherwise only tell what would be removed.
        trash: Move to ``trash/`` instead of deleting.
        min_age: As for ``mark``.
        keep_last: As for ``mark``.

    Raises:
        ConfigError: As for ``mark``. No retry.
        StoreError: As for ``mark``; nothing more is removed.
    """
    now = _storage_time(store, min_age)
    ripe, waiting = _lists(store, now - min_age / 2)
    listed = {stat.key: stat for key in ripe for stat in _read_candidates(store, key)}
    doomed = _still_doomed(store, listed, keep_last)
    removed = _remove(store, listed, keep_last, trash=trash) if apply else doomed
    if apply:
        store.backend.delete(ripe)
    temps = store.backend.reap(_ns(now - TEMP_AGE), apply=apply)
    manifests = sum(stat.key.startswith(layout.MANIFESTS) for stat in removed)
    return Swept(
        applied=apply,
        manifests=manifests,
        blobs=len(removed) - manifests,
        size_bytes=sum(stat.size for stat in removed),
        spared=len(listed) - len(removed),
        waiting=waiting,
        temps=temps,
    )


def expire_results(
    store: Store, *, older_than: timedelta = RESULT_AGE, apply: bool = False
) -> Expired:
    """Remove task results that were written so long ago, by the storage's clock.

    Raises:
        ConfigError: The clocks differ by over 5 minutes. No retry.
        StoreError: The store cannot be read or written.
    """
    cutoff = _storage_time(store, MIN_AGE_FLOOR) - older_than
    old = [stat for stat in store.backend.list(layout.RESULTS) if _time(stat) < cutoff]
    if apply:
        store.backend.delete(stat.key for stat in old)
    return Expired(apply, len(old), sum(stat.size for stat in old))


def _storage_time(store: Store, min_age: timedelta) -> datetime:
    """Return the storage's time, by which objects age, if all is well with it."""
    if min_age < MIN_AGE_FLOOR:
        raise ConfigError(
            f"A minimum age of {min_age} is too short for runs that are still writing",
            f"Give at least {MIN_AGE_FLOOR}",
        )
    now = datetime.fromtimestamp(store.backend.now_ns() / 1e9, UTC)
    if abs(now - store.clock()) > MAX_SKEW:
        raise ConfigError(
            f"The storage's clock says {now:%Y-%m-%dT%H:%M:%SZ}, this machine's"
            f" {store.clock():%Y-%m-%dT%H:%M:%SZ}",
            "Set the clocks (NTP), then try again",
        )
    return now


def _objects(store: Store) -> Iterator[Stat]:
    for prefix in (layout.MANIFESTS, layout.BLOBS):
        yield from store.backend.list(prefix)


def _time(stat: Stat) -> datetime:
    return datetime.fromtimestamp(stat.modified_ns / 1e9, UTC)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _still_doomed(store: Store, listed: dict[Key, Stat], keep_last: int) -> list[Stat]:
    """Return what may go of what was listed: manifests first, derived ones before their inputs."""
    untouched = {stat.key for stat in listed.values() if _is_untouched(store, stat)}
    manifests = {key for key in untouched if key.startswith(layout.MANIFESTS)}
    gone = untouched - live_keys(store, manifests, keep_last)
    first = derived_first(store, manifests & gone)
    return [listed[key] for key in (*first, *sorted(gone - manifests))]


def _is_untouched(store: Store, listed: Stat) -> bool:
    found = store.backend.stat(listed.key)
    return found is not None and found.modified_ns == listed.modified_ns


def _remove(store: Store, listed: dict[Key, Stat], keep_last: int, *, trash: bool) -> list[Stat]:
    """Remove what may go, and look again whenever a manifest came into use meanwhile."""
    removed: list[Stat] = []
    for _ in range(_SWEEP_ATTEMPTS):
        for stat in _still_doomed(store, listed, keep_last):
            if store.backend.discard(stat, keep_in_trash=trash):
                removed.append(stat)
            elif stat.key.startswith(layout.MANIFESTS):
                break  # what it refers to must stay now
        else:
            return removed
    raise StoreUnavailableError(
        "Manifests kept coming into use while gc ran", "Run it again when less is written"
    )


def _lists(store: Store, cutoff: datetime) -> tuple[list[Key], int]:
    keys = [stat.key for stat in store.backend.list(layout.GC)]
    ripe = [key for key in keys if layout.candidates_time(key) <= cutoff]
    return ripe, len(keys) - len(ripe)


def _write_candidates(store: Store, now: datetime, found: list[Stat]) -> Key:
    key = layout.candidates_key(now)
    lines = (
        canonical_json({"key": stat.key, "size": stat.size, "modified_ns": stat.modified_ns})
        for stat in found
    )
    data = b"".join(line + b"\n" for line in lines)
    body = BytesBody(data)
    store.backend.put(key, body, sha256=Digest.of(data), size=len(data), if_absent=False)
    return key


def _read_candidates(store: Store, key: Key) -> Iterator[Stat]:
    with store.backend.open(key) as reader:
        lines = reader.read().splitlines()
    for line in lines:
        found = json.loads(line)
        listed = Key(found["key"])
        layout.digest_of(listed)  # refuses anything but a blob or manifest
        yield Stat(key=listed, size=found["size"], modified_ns=found["modified_ns"])
