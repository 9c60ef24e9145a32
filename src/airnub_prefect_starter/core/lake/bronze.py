"""Bronze: rows as they were received, all text, with the batch, the bytes and the line they are of.

The table is partitioned by batch. A batch is written once: where the table has its bytes already,
as the same code reads them, nothing is done. One batch is in memory at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    PayloadError,
    StarterError,
    TableSchemaError,
    TooLargeError,
)
from airnub_prefect_starter.core import readers
from airnub_prefect_starter.core.data_cleaning import content_of
from airnub_prefect_starter.core.derivation import Derivation, code_digest, read_inputs
from airnub_prefect_starter.core.lake.lake import Lake, literal, quoted
from airnub_prefect_starter.core.lake.snapshots import (
    BatchCounts,
    TableSnapshot,
    commit_snapshot,
    find_snapshot,
    find_unchanged_table,
    last_derivation,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.steps import BATCH, BLOB, ROW, BronzeStep
from airnub_prefect_starter.core.lake.writing import WriteInfo, delete, replace_partition
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedResult,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.readers import read_whole
from airnub_prefect_starter.core.store import Store

# What is wrong with one batch alone: the others are loaded all the same.
OF_ONE_BATCH = (
    CorruptObjectError,
    ObjectNotFoundError,
    PayloadError,
    TableSchemaError,
    TooLargeError,
)


def core_load_bronze(
    store: Store, step: BronzeStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Bring the bronze table to what its refs point to now.

    A batch of bytes that an earlier one has too is left out and counted as duplicates; a column
    that the table lacks is added. Batches that cannot be read are named in the error at the end,
    when all others are stored; what the table had of them before stays.

    Raises:
        ObjectNotFoundError: A ref is not in the store; run ingestion first. No retry.
        PayloadError: A batch is not of the promised format. No retry.
        TableConflictError: Another writer was first. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    load = _Load(store, step, run or RunInfo())
    inputs = load.find_inputs()
    derivation = Derivation(namespace, step.source_id, inputs, _parameters(step))
    unchanged = None if load.failed else find_unchanged_table(store, derivation, step.table)
    if unchanged:
        return unchanged
    load.lake.require_commits(step.table, step.writers)
    last = last_derivation(store, derivation)
    load.batches(inputs, keep=last is not None and last.parameters == derivation.parameters)
    raise_failed(step.table, load.failed, len(step.inputs))
    previous = find_snapshot(store, f"{namespace}/{step.source_id}")
    changed = _changed_since(previous, load.counts)
    snapshot = take_snapshot(
        load.lake, step.table, key=(BATCH, ROW), previous=previous, changed=changed | load.written
    )
    changes = (*snapshot.changes, *load.changes)
    described = {"batches": load.counts, "order": tuple(load.counts), "changes": changes}
    snapshot = snapshot.model_copy(update=described)
    rows = total(load.counts)
    return commit_snapshot(store, derivation, snapshot, rows=rows, run=run or RunInfo())


def total(batches: Mapping[str, BatchCounts]) -> RowCounts:
    """Add up what became of the rows of all batches.

    Raises:
        PayloadError: They do not add up, which is a defect of this package. No retry.
    """
    names = RowCounts.model_fields
    counts = RowCounts(**{name: sum(getattr(b, name) for b in batches.values()) for name in names})
    if not counts.reconciles() or not all(each.reconciles() for each in batches.values()):
        raise PayloadError(f"Rows do not reconcile: {dict(batches)!r}", "Report this as a bug")
    return counts


def raise_failed(table: str, failed: Mapping[str, StarterError], of: int) -> None:
    """Raise for the batches that failed, by name; one alone keeps the class of its error."""
    if not failed:
        return
    named = "; ".join(f"{name}: {error.message}" for name, error in failed.items())
    first = next(iter(failed.values()))
    kind = type(first) if len(failed) == 1 else PayloadError
    raise kind(
        f"{len(failed)} of {of} batches of {table} failed, the others are stored: {named}",
        first.remedy,
    )


def _changed_since(
    previous: TableSnapshot | None, counts: Mapping[str, BatchCounts]
) -> frozenset[str]:
    """Name the batches of other bytes than then, whichever run wrote them: one may have failed."""
    before = previous.batches if previous else {}
    return frozenset(
        batch
        for batch, each in counts.items()
        if batch not in before or before[batch].source != each.source
    )


def _parameters(step: BronzeStep) -> dict[str, object]:
    return {"code": code_digest(readers, sys.modules[__name__]), "reader": step.reader}


@dataclass
class _Load:
    """One run of a step, batch by batch."""

    store: Store
    step: BronzeStep
    run: RunInfo
    failed: dict[str, StarterError] = field(default_factory=dict)
    counts: dict[str, BatchCounts] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    changes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lake = Lake.of(self.store)
        self._columns: set[str] = set()

    def find_inputs(self) -> tuple[DerivedInput, ...]:
        found: list[DerivedInput] = []
        for text in self.step.inputs:
            try:
                found.extend(read_inputs(self.store, [text]))
            except OF_ONE_BATCH as error:
                self.failed[text.rpartition("/")[2]] = error
        return tuple(found)

    def batches(self, inputs: tuple[DerivedInput, ...], *, keep: bool) -> None:
        there = self._present()
        named = _named(inputs)
        self._remove({batch for batch in {*there} - {*named} if not self._is_of_failed(batch)})
        first: dict[str, str] = {}
        for batch, given in named.items():
            twin = first.setdefault(given.blob, batch)
            try:
                if twin != batch:
                    self._skip(batch, given, twin, there)
                elif keep and there.get(batch, ("", 0))[0] == given.blob:
                    self._count(batch, given, there[batch][1])
                else:
                    self._write(batch, given)
            except OF_ONE_BATCH as error:
                self.failed[batch] = error

    def _is_of_failed(self, batch: str) -> bool:
        """Tell whether a batch is, or is an increment of, a source that could not be looked up."""
        return any(batch == name or batch.startswith(f"{name}.") for name in self.failed)

    def _present(self) -> dict[str, tuple[str, int]]:
        if not self.lake.exists(self.step.table):
            return {}
        found = self.lake.query(
            f"SELECT {BATCH}, min({BLOB}) AS blob, count(*) AS n FROM t GROUP BY {BATCH}",
            {"t": self.step.table},
        )
        self._columns = {field.name for field in self.lake.open(self.step.table).schema().fields}
        return {str(b): (str(blob), int(n)) for b, blob, n in found.itertuples(index=False)}

    def _remove(self, gone: set[str]) -> None:
        for batch in sorted(gone):
            info = WriteInfo(self.run, f"without {batch}")
            delete(self.lake, self.step.table, f"{quoted(BATCH)} = {literal(batch)}", info)
            self.written.add(batch)

    def _skip(
        self, batch: str, given: DerivedInput, twin: str, there: Mapping[str, tuple[str, int]]
    ) -> None:
        if twin in self.failed:
            raise PayloadError(f"its bytes are those of {twin}", self.failed[twin].remedy)
        if batch in there:
            self._remove({batch})
        rows = self.counts[twin].rows_in
        self.counts[batch] = BatchCounts(
            rows_in=rows,
            rows_out=0,
            rejected=0,
            duplicates=rows,
            source=given.blob,
            note=f"same bytes as {twin}",
        )

    def _count(self, batch: str, given: DerivedInput, rows: int) -> None:
        self.counts[batch] = BatchCounts(
            rows_in=rows, rows_out=rows, rejected=0, duplicates=0, source=given.blob
        )

    def _write(self, batch: str, given: DerivedInput) -> None:
        frame = _received(self.store, given, self.step, batch)
        info = WriteInfo(self.run, given.blob)
        replace_partition(self.lake, self.step.table, frame, info, column=BATCH, value=batch)
        self.written.add(batch)
        self._count(batch, given, len(frame))
        self._note_columns(batch, set(frame.columns))

    def _note_columns(self, batch: str, columns: set[str]) -> None:
        if self._columns:
            self.changes += [f"{batch} added {name}" for name in sorted(columns - self._columns)]
            self.changes += [f"{batch} lacks {name}" for name in sorted(self._columns - columns)]
        self._columns |= columns


def _named(inputs: tuple[DerivedInput, ...]) -> dict[str, DerivedInput]:
    """Name batches by source; one that is stored in increments is a batch for each."""
    found: dict[str, DerivedInput] = {}
    for each in inputs:
        name = each.source_id
        if name in found:
            name = f"{name}.{each.blob.removeprefix('sha256:')[:12]}"
        found[name] = each
    return found


def _received(store: Store, given: DerivedInput, step: BronzeStep, batch: str) -> pd.DataFrame:
    frame = read_whole(content_of(store, given), step.reader, (BATCH, BLOB, ROW))
    frame[BATCH], frame[BLOB], frame[ROW] = batch, given.blob, frame.index
    return frame.reset_index(drop=True)
