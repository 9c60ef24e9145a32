"""Silver: typed rows, unique by key, merged batch by batch; what does not fit is in quarantine.

The table is a function of the bronze table's batches, their order and the contract, whatever the
order in which they were loaded: where two batches have a key, the row of the earlier one counts.
One batch is in memory at a time, and of other tables the keys that it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError, StarterError
from airnub_prefect_starter.core import column_types
from airnub_prefect_starter.core.derivation import Derivation, code_digest, read_inputs
from airnub_prefect_starter.core.lake import contracts, refining
from airnub_prefect_starter.core.lake.bronze import OF_ONE_BATCH, raise_failed, total
from airnub_prefect_starter.core.lake.lake import Lake, literal, quoted, select
from airnub_prefect_starter.core.lake.refining import Keys, Refined, refine
from airnub_prefect_starter.core.lake.snapshots import (
    DELTA_TYPES,
    BatchCounts,
    TableSnapshot,
    commit_snapshot,
    find_snapshot,
    find_unchanged_table,
    last_derivation,
    read_snapshot,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.steps import BATCH, BLOB, ROW, ForeignKey, SilverStep
from airnub_prefect_starter.core.lake.writing import (
    WriteInfo,
    columns_of,
    delete,
    merge,
    overwrite,
    replace_partition,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedResult,
    RunInfo,
    canonical_json,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import ColumnType


def core_refine_silver(
    store: Store, step: SilverStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Bring a silver table to what its bronze table and the tables that it refers to are now.

    Batches whose rows are those of the last time are not touched. A batch of which too many rows
    are rejected is not merged, but its rows are in quarantine; it is named in the error at the end.

    Raises:
        ObjectNotFoundError: The bronze table or one that it refers to was not made yet. No retry.
        PayloadError: Too many rows of a batch are rejected. No retry.
        TableConflictError: Another writer was first. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    run = run or RunInfo()
    source = f"{namespace}/bronze.{step.name}"
    references = {
        each.table: read_snapshot(store, f"{namespace}/silver.{each.table}")
        for each in step.foreign_keys
    }
    refs = [source, *sorted(f"{namespace}/silver.{table}" for table in references)]
    inputs = read_inputs(store, refs)
    parameters = _parameters(step, references)
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged_table(store, derivation, step.table)
    if unchanged:
        # The limit is no part of what the table is made of: a stricter one must be met all the same
        batches = read_snapshot(store, f"{namespace}/{step.source_id}").batches
        raise_failed(step.table, _mostly_bad(step, batches), len(batches))
        return unchanged
    lake = Lake.of(store)
    lake.require_commits(step.table, step.writers)
    bronze = read_snapshot(store, source)
    previous = find_snapshot(store, f"{namespace}/{step.source_id}")
    known = _known(store, derivation, step.table, previous, bronze)
    work = _Refinement(lake, step, bronze, references, known, run)
    work.batches()
    failed = {**work.failed, **_mostly_bad(step, work.counts)}
    raise_failed(step.table, failed, len(bronze.parts))
    snapshot = take_snapshot(
        lake,
        step.table,
        key=step.contract.key,
        previous=previous,
        changed=work.written if known else None,
    )
    rows = total(work.counts)
    if rows.rows_out != snapshot.rows:
        raise PayloadError(
            f"{step.table} has {snapshot.rows} rows, its batches {rows.rows_out}",
            "Something else writes the table; run the step again with one writer",
        )
    changes = (*snapshot.changes, *_ignored(step, bronze))
    described = {"batches": work.counts, "order": tuple(work.counts), "changes": changes}
    snapshot = snapshot.model_copy(update=described)
    return commit_snapshot(store, derivation, snapshot, rows=rows, run=run)


def _parameters(step: SilverStep, references: Mapping[str, TableSnapshot]) -> dict[str, Any]:
    return {
        "code": code_digest(column_types, contracts, refining, sys.modules[__name__]),
        "contract": step.contract.model_dump(mode="json", exclude_none=True),
        "foreign_keys": [each.model_dump(mode="json") for each in step.foreign_keys],
        "references": {table: each.digest for table, each in references.items()},
    }


def _known(
    store: Store,
    derivation: Derivation,
    table: str,
    previous: TableSnapshot | None,
    bronze: TableSnapshot,
) -> Mapping[str, BatchCounts]:
    """Give the batches that need not be refined again if they are equal."""
    if previous is None or not _is_by_same_rules(store, derivation, table):
        return {}
    before = [batch for batch in previous.order if batch in bronze.parts]
    now = [batch for batch in bronze.order if batch in bronze.parts and batch in previous.order]
    return previous.batches if before == now else {}


def _is_by_same_rules(store: Store, derivation: Derivation, table: str) -> bool:
    """Tell whether the table has what the last run by these very rules left, so equal batches stay.

    A run that failed half-way wrote other batches, which only a comparison of all would find.
    """
    last = last_derivation(store, derivation)
    if last is None or canonical_json(last.parameters) != canonical_json(derivation.parameters):
        return False
    return find_unchanged_table(store, last, table) is not None


def _ignored(step: SilverStep, bronze: TableSnapshot) -> tuple[str, ...]:
    known = {*step.contract.names}
    extra = [name for name in bronze.columns if name not in known and not name.startswith("_")]
    return (f"not in the contract: {', '.join(extra)}",) if extra else ()


@dataclass
class _Refinement:
    """One run of a step, batch by batch in the order of the bronze step's inputs.

    Other tables are read at the versions of their snapshots, whoever writes to them meanwhile.
    """

    lake: Lake
    step: SilverStep
    bronze: TableSnapshot
    references: Mapping[str, TableSnapshot]
    known: Mapping[str, BatchCounts]
    run: RunInfo
    failed: dict[str, StarterError] = field(default_factory=dict)
    counts: dict[str, BatchCounts] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    there: frozenset[str] = frozenset()

    def batches(self) -> None:
        order = [batch for batch in self.bronze.order if batch in self.bronze.parts]
        changed = self._changed(order)
        self._prepare(order)
        keys = {each: self._values(each) for each in self.step.foreign_keys} if changed else {}
        for position, batch in enumerate(order):
            if batch not in changed:
                self.counts[batch] = self.known[batch]
                continue
            try:
                touched = self._refine(batch, keys, order[:position])
            except OF_ONE_BATCH as error:
                self.failed[batch] = error
            else:
                # What a later batch has of these keys is a duplicate now: that one is done again.
                changed |= touched

    def _changed(self, order: list[str]) -> set[str]:
        changed = {
            batch
            for batch in order
            if batch not in self.known
            or self.known[batch].source != self.bronze.parts[batch].digest
        }
        changed |= self._of_other_quarantine(order)
        if changed or set(self.known) - set(order):
            # What a batch shared with another one may be its own now.
            changed |= {batch for batch in order if batch in self.known and self._shares(batch)}
        return changed

    def _of_other_quarantine(self, order: list[str]) -> set[str]:
        """Find equal batches whose rows in quarantine are of a run that failed, or were lost."""
        aside: dict[str, tuple[str, int]] = {}
        if self.lake.exists(self.step.quarantine):
            found = self.lake.query(
                f"SELECT {BATCH}, min({BLOB}), count(DISTINCT {ROW}) FROM t GROUP BY {BATCH}",
                {"t": self.step.quarantine},
            )
            aside = {batch: (blob, n) for batch, blob, n in found.itertuples(index=False)}
        return {
            batch
            for batch in order
            if batch in self.known and aside.get(batch) != self._expected_aside(batch)
        }

    def _expected_aside(self, batch: str) -> tuple[str, int] | None:
        rejected = self.known[batch].rejected
        return (self.bronze.batches[batch].source, rejected) if rejected else None

    def _shares(self, batch: str) -> bool:
        return self.known[batch].shared > 0

    def _prepare(self, order: list[str]) -> None:
        """Remove rows of batches that are gone, and all rows if columns are of other types now."""
        names = ", ".join(map(literal, order)) or "''"
        info = WriteInfo(self.run, self.bronze.digest)
        for table in (self.step.table, self.step.quarantine):
            if self.lake.exists(table):
                delete(self.lake, table, f"{quoted(BATCH)} NOT IN ({names})", info)
        empty = refine(_no_rows(), self.step, {}, self.bronze.digest).accepted
        if not self.lake.exists(self.step.table):
            if not order:
                self._write("", empty, info)  # a table without rows is a table
            return
        columns = columns_of(self.lake.open(self.step.table))
        wanted = {name: DELTA_TYPES[each] for name, each in _types(self.step).items()}
        if any(wanted.get(name) != kind for name, kind in columns.items()):
            overwrite(self.lake, self.step.table, empty, info, schema_change=True)
        partitions = self.lake.open(self.step.table).partitions()
        self.there = frozenset(each[BATCH] for each in partitions)

    def _values(self, foreign_key: ForeignKey) -> pd.MultiIndex:
        names = ", ".join(map(quoted, foreign_key.references))
        snapshot = self.references[foreign_key.table]
        opened = self.lake.open(snapshot.table, version=snapshot.version)
        found = select(f"SELECT DISTINCT {names} FROM t", {"t": opened})
        return pd.MultiIndex.from_frame(found)

    def _refine(self, batch: str, keys: Keys, earlier: list[str]) -> set[str]:
        """Merge one batch; give the later batches that have some of its keys too."""
        raw = self.lake.read(
            self.bronze.table, partitions={BATCH: batch}, version=self.bronze.version
        )
        source = self.bronze.parts[batch].digest
        found = refine(raw.sort_values(ROW), self.step, keys, source)
        others = self._others(batch, found.accepted)
        is_earlier = others[BATCH].isin(earlier)
        found = found.without(others.loc[is_earlier, list(self.step.contract.key)])
        self._quarantine(batch, found)
        for error in _mostly_bad(self.step, {batch: found.counts}).values():
            raise error
        self._write(batch, found.accepted, WriteInfo(self.run, source))
        self.written.add(batch)
        self.counts[batch] = found.counts
        return set(others.loc[~is_earlier, BATCH])

    def _write(self, batch: str, rows: pd.DataFrame, info: WriteInfo) -> None:
        """Add a batch that the table lacks; of one that it has, merge what differs.

        A MERGE reads the whole table where rows may have to go, so its cost grows with the table.
        """
        if batch not in self.there and not rows.empty:
            replace_partition(self.lake, self.step.table, rows, info, column=BATCH, value=batch)
            return
        merge(
            self.lake,
            self.step.table,
            rows,
            info,
            key=self.step.contract.key,
            partition=(BATCH, batch),
            delete_missing=True,
        )

    def _others(self, batch: str, rows: pd.DataFrame) -> pd.DataFrame:
        """Find rows of other batches with keys of this one: the key's columns and the batch.

        The range of each column leaves out files that cannot have any of them.
        """
        key = list(self.step.contract.key)
        if rows.empty or not self.lake.exists(self.step.table):
            return pd.DataFrame(columns=[*key, BATCH])
        names = ", ".join(map(quoted, [*key, BATCH]))
        ranges = [_range(rows[name]) for name in key]
        tests = [f"{quoted(BATCH)} <> {literal(batch)}", *(text for text in ranges if text)]
        found = self.lake.query(
            f"SELECT {names} FROM t WHERE {' AND '.join(tests)}", {"t": self.step.table}
        )
        own = pd.MultiIndex.from_frame(rows[key])
        return found[pd.MultiIndex.from_frame(found[key]).isin(own)]

    def _quarantine(self, batch: str, found: Refined) -> None:
        table, info = self.step.quarantine, WriteInfo(self.run, found.counts.source)
        if len(found.rejected):
            rejected = found.rejected.assign(run_id=self.run.flow_run_id)
            replace_partition(self.lake, table, rejected, info, column=BATCH, value=batch)
        elif self.lake.exists(table):
            delete(self.lake, table, f"{quoted(BATCH)} = {literal(batch)}", info)


def _mostly_bad(step: SilverStep, batches: Mapping[str, BatchCounts]) -> Mapping[str, PayloadError]:
    """Give an error for each batch of which more rows are rejected than the step allows."""
    return {
        batch: _too_many_rejected(step, counts)
        for batch, counts in batches.items()
        if counts.rejected * 100 > step.max_rejected_percent * counts.rows_in
    }


def _too_many_rejected(step: SilverStep, counts: BatchCounts) -> PayloadError:
    rules = ", ".join(f"{rule} ({n})" for rule, n in counts.rejected_by.items())
    return PayloadError(
        f"{counts.rejected} of {counts.rows_in} rows are rejected, more than"
        f" {step.max_rejected_percent} %, by {rules[:300]}",
        f"Look at {step.quarantine}; correct the source, the contract or the limit",
    )


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {BATCH: pd.Series(dtype="str"), BLOB: pd.Series(dtype="str"), ROW: pd.Series(dtype="Int64")}
    )


def _types(step: SilverStep) -> dict[str, ColumnType]:
    return {
        **{column.name: column.dtype for column in step.contract.columns},
        BATCH: "string",
        ROW: "int",
    }


def _range(values: pd.Series[Any]) -> str | None:
    """Give the SQL for what is between the least and the greatest; None of other types."""
    name, least, greatest = quoted(str(values.name)), values.min(), values.max()
    if isinstance(least, str):
        return f"{name} BETWEEN {literal(least)} AND {literal(greatest)}"
    if isinstance(least, pd.Timestamp):
        return f"{name} BETWEEN {_moment(least)} AND {_moment(greatest)}"
    if values.dtype == "Int64":
        return f"{name} BETWEEN {int(least)} AND {int(greatest)}"
    return None


def _moment(value: pd.Timestamp) -> str:
    return f"""arrow_cast('{value.isoformat()}', 'Timestamp(Microsecond, Some("UTC"))')"""
