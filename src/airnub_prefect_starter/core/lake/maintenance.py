"""Tables in shape: small files joined, files of old versions removed, released versions kept."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable

from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.lake import TABLES, Lake
from airnub_prefect_starter.core.lake.released import released_versions
from airnub_prefect_starter.core.lake.time_travel import history
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from airnub_prefect_starter.core.lake.writing import PROPERTIES, WriteInfo
from airnub_prefect_starter.core.manifest_models import Record, RunInfo
from airnub_prefect_starter.core.store import Store

log = logging.getLogger(__name__)

MIB = 1 << 20
LOG_RETENTION = timedelta(days=30)


class Maintained(Record):
    """What became of one table; sizes are those of all its objects, the log included.

    ``removed`` counts files of old versions, or those that would be removed where ``applied`` is
    False. ``kept`` are the released versions, which stay readable whatever their age.
    """

    table: str
    version: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    joined: int
    removed: int
    applied: bool
    kept: tuple[int, ...]
    log_cleaned: bool

    @property
    def source_id(self) -> str:
        """What a run calls it."""
        return self.table


def core_maintain_table(
    store: Store, table: str, upkeep: Upkeep, *, run: RunInfo | None = None
) -> Maintained:
    """Join small files, write a checkpoint, and remove what no version within the retention needs.

    The rows stay as they are. Not to be run beside a writer of the table.

    Raises:
        ObjectNotFoundError: There is no such table. No retry.
        TableConflictError: A writer committed first. A retry helps.
        StoreError: It cannot be read or written; or what refs and pins lead to is not known, and
            then nothing is removed.
    """
    lake = Lake.of(store)
    opened = lake.open(table)
    files_before, bytes_before = _usage(store, table)
    kept = _still_there(opened, released_versions(store).get(table, ()))
    info = WriteInfo(run or RunInfo(), "maintenance")
    with translated(f"Maintaining the table {table}"):
        joined = _compact(opened, upkeep, info)
        removed = _vacuum(store, table, opened, upkeep, kept)
        opened.create_checkpoint()
        cleaned = _clean_log(opened, kept) if upkeep.remove else False
    files_after, bytes_after = _usage(store, table)
    return Maintained(
        table=table,
        version=opened.version(),
        files_before=files_before,
        files_after=files_after,
        bytes_before=bytes_before,
        bytes_after=bytes_after,
        joined=joined,
        removed=removed,
        applied=upkeep.remove,
        kept=kept,
        log_cleaned=cleaned,
    )


def _usage(store: Store, table: str) -> tuple[int, int]:
    sizes = [stat.size for stat in store.backend.list(f"{TABLES}{table}/")]
    return len(sizes), sum(sizes)


def _still_there(opened: DeltaTable, released: Iterable[int]) -> tuple[int, ...]:
    there = {commit.version for commit in history(opened)}
    return tuple(sorted(there.intersection(released)))


def _compact(opened: DeltaTable, upkeep: Upkeep, info: WriteInfo) -> int:
    """Join files and return how many there were of those that were joined."""
    if any(opened.metadata().configuration.get(key) != value for key, value in PROPERTIES.items()):
        opened.alter.set_table_properties(PROPERTIES, commit_properties=info.properties())
    done = opened.optimize.compact(
        target_size=upkeep.target_file_mib * MIB, commit_properties=info.properties()
    )
    return int(done["numFilesRemoved"])


def _vacuum(
    store: Store, table: str, opened: DeltaTable, upkeep: Upkeep, kept: Collection[int]
) -> int:
    """List what may go, and remove that where it is to be removed; return how many files it is."""

    def call(*, dry_run: bool) -> list[str]:
        return opened.vacuum(
            retention_hours=upkeep.retention_hours,
            dry_run=dry_run,
            enforce_retention_duration=False,  # the configured one counts
            keep_versions=list(kept) or None,
        )

    # The log names files that are gone already, too.
    root = f"{TABLES}{table}/"
    present = {stat.key.removeprefix(root) for stat in store.backend.list(root)}
    there = sum(path in present for path in call(dry_run=True))
    log.info("%s: %d files of old versions may go", table, there)
    if there and upkeep.remove:
        call(dry_run=False)
    return there


def _clean_log(opened: DeltaTable, kept: Collection[int]) -> bool:
    """Remove log entries older than 30 days, unless a released version is among them.

    The newest version needs none of them: it has a checkpoint.
    """
    limit = datetime.now(UTC) - LOG_RETENTION
    old = {commit.version for commit in history(opened) if commit.at < limit} - {opened.version()}
    if not old or old.intersection(kept):
        return False
    opened.cleanup_metadata()
    return True
