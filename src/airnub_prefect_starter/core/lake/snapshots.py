"""What a table is at a version, as JSON in the content store: so lineage leads through tables.

A step's derived manifest has such a snapshot as its one output. The next step names it as input:
so `airnub trace` walks from a gold table to the bytes, and a step of equal inputs is not repeated.
The digest says what rows a table has, whatever files they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pyarrow as pa
from deltalake import DeltaTable
from pydantic import Field, ValidationError

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    TableSchemaError,
)
from airnub_prefect_starter.core.derivation import (
    Derivation,
    commit,
    find_unchanged,
    split_ref,
)
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.lake import Lake, literal, quoted, select
from airnub_prefect_starter.core.lake.writing import UPKEEP, columns_of
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    DigestText,
    Record,
    RowCounts,
    RunInfo,
    canonical_json,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.table_schema import Column, ColumnType, TableSchema
from airnub_prefect_starter.core.tables import table_digest

SNAPSHOT: Literal["application/vnd.airnub.table-snapshot.v1+json"] = (
    "application/vnd.airnub.table-snapshot.v1+json"
)
WHOLE = "all"
_TYPES: Mapping[str, ColumnType] = {
    "string": "string",
    "long": "int",
    "integer": "int",
    "short": "int",
    "double": "float",
    "boolean": "bool",
    "date": "date",
    "timestamp": "timestamp",
}
DELTA_TYPES: Mapping[ColumnType, str] = {
    "string": "string",
    "int": "long",
    "float": "double",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
"""How a table names the types of our own columns."""


class TablePart(Record):
    """One partition: its rows and their digest."""

    rows: int = Field(ge=0)
    digest: DigestText


class BatchCounts(RowCounts):
    """What became of the rows of one batch, and what was only warned about, by rule."""

    source: DigestText
    warnings: Mapping[str, int] = {}
    rejected_by: Mapping[str, int] = {}
    shared: int = Field(default=0, ge=0, description="Duplicates of rows of earlier batches")
    note: str | None = None


class TableSnapshot(Record):
    """A table at a version.

    ``parts`` are its partitions by value (of an unpartitioned table: ``all``), ``batches`` what
    became of each batch that it was made of, ``order`` their order (JSON has none), ``changes`` how
    its columns differ from the last time.
    """

    schema_version: Literal[1] = 1
    media_type: Literal["application/vnd.airnub.table-snapshot.v1+json"] = SNAPSHOT
    table: str
    version: int = Field(ge=0)
    rows: int = Field(ge=0)
    columns: Mapping[str, str]
    key: tuple[str, ...]
    digest: DigestText
    parts: Mapping[str, TablePart]
    batches: Mapping[str, BatchCounts] = {}
    order: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def take_snapshot(
    lake: Lake,
    table: str,
    *,
    key: Iterable[str],
    previous: TableSnapshot | None = None,
    changed: Iterable[str] | None = None,
    without: Iterable[str] = (),
) -> TableSnapshot:
    """Describe a table as it is now; one partition is in memory at a time.

    Args:
        lake: Where it is.
        table: Its name.
        key: Columns that make a row unique.
        previous: The last snapshot, whose digests of unchanged partitions are taken over.
        changed: Values of the partitions that may differ from it; None for all.
        without: Columns that the digest leaves out, such as the time at which a row was written.

    Raises:
        TableSchemaError: A column is of a type that has no digest (lists, structures). No retry.
        StoreError: The table cannot be read.
    """
    opened = lake.open(table)
    columns, key = columns_of(opened), tuple(key)
    digested = {name: kind for name, kind in columns.items() if name not in {*without}}
    schema = _schema(table, digested, key)
    known = _reusable(previous, columns, changed)
    by = opened.metadata().partition_columns
    parts = {}
    for value, rows in _partitions(opened, by).items():
        kept = known.get(value)
        same = kept is not None and kept.rows == rows
        parts[value] = kept if kept and same else _digested(opened, by, value, schema)
    return TableSnapshot(
        table=table,
        version=opened.version(),
        rows=sum(part.rows for part in parts.values()),
        columns=columns,
        key=key,
        digest=_digest(digested, parts),
        parts=parts,
        changes=_changes(previous, columns),
    )


def read_snapshot(store: Store, ref: str) -> TableSnapshot:
    """Read the snapshot that a ref such as ``processing.lake_etl/silver.flights`` points to.

    Raises:
        ObjectNotFoundError: There is no such ref. No retry before the step has run.
        CorruptObjectError: What it points to is no snapshot. No retry.
    """
    found = find_snapshot(store, ref)
    if found is None:
        raise ObjectNotFoundError(f"{ref} is not in the store", "Run the step that makes it first")
    return found


def find_snapshot(store: Store, ref: str) -> TableSnapshot | None:
    """Read the snapshot that a ref points to; None if there is no such ref.

    Raises:
        CorruptObjectError: What it points to is no snapshot. No retry.
    """
    found = store.ref(*split_ref(ref))
    if found is None:
        return None
    manifest = store.manifest(found.manifest.digest)
    outputs = manifest.outputs if isinstance(manifest, DerivedManifest) else ()
    snapshots = [each.blob.digest for each in outputs if each.blob.media_type == SNAPSHOT]
    if len(snapshots) != 1:
        raise CorruptObjectError(f"{ref} is not that of a table", "See `airnub trace`")
    return parse_snapshot(store, snapshots[0])


def parse_snapshot(store: Store, blob: str) -> TableSnapshot:
    """Read a snapshot by the digest of its bytes, as an input of a manifest names it.

    Raises:
        CorruptObjectError: The bytes are no snapshot. No retry.
    """
    try:
        return TableSnapshot.model_validate_json(store.read_blob(blob))
    except ValidationError as error:
        raise CorruptObjectError(f"{blob} is no snapshot", "Run its step again") from error


def commit_snapshot(
    store: Store,
    derivation: Derivation,
    snapshot: TableSnapshot,
    *,
    rows: RowCounts | None = None,
    run: RunInfo,
) -> DerivedResult:
    """Store a snapshot as the output of a step that has committed to the table.

    Raises:
        StoreError: See `Store.commit_derived`.
    """
    blob, _ = store.put_bytes(snapshot.canonical(), media_type=SNAPSHOT)
    name = f"{snapshot.table.replace('/', '.')}.json"
    outputs = [DerivedOutput(name=name, blob=blob)]
    return commit(store, derivation, outputs, rows=rows, table_digest=snapshot.digest, run=run)


def find_unchanged_table(store: Store, derivation: Derivation, table: str) -> DerivedResult | None:
    """Return the last result if it was made of the same and its table is there, else None.

    A table that was written since, by a run that failed later or by somebody else, is not that one;
    maintenance makes versions of equal rows.

    Raises:
        StoreError: The store cannot be read.
    """
    found = find_unchanged(store, derivation)
    lake = Lake.of(store)
    if found is None or not lake.exists(table):
        return None
    snapshot = parse_snapshot(store, found.outputs[0].blob.digest)
    return found if _has_rows_of(lake.open(table), snapshot.version) else None


def last_derivation(store: Store, derivation: Derivation) -> Derivation | None:
    """Give what the present ref of a derivation was made of; None if there is none."""
    ref = store.ref(derivation.namespace, derivation.source_id)
    manifest = store.manifest(ref.manifest.digest) if ref else None
    if not isinstance(manifest, DerivedManifest):
        return None
    return Derivation(manifest.namespace, manifest.source_id, manifest.inputs, manifest.parameters)


def _has_rows_of(opened: DeltaTable, version: int) -> bool:
    later = opened.version() - version
    if later <= 0:
        return later == 0
    with translated("Reading the history of a table"):
        return {commit["operation"] for commit in opened.history(later)} <= UPKEEP


def _schema(table: str, columns: Mapping[str, str], key: tuple[str, ...]) -> TableSchema:
    unknown = sorted(f"{name} {kind}" for name, kind in columns.items() if kind not in _TYPES)
    if unknown:
        raise TableSchemaError(f"{table} has columns without a digest: {', '.join(unknown)}")
    if missing := sorted(set(key) - set(columns)):
        raise TableSchemaError(f"{table} lacks {', '.join(missing)} of its key")
    described = (
        Column(name=name, dtype=_TYPES[columns[name]], nullable=name not in key)
        for name in sorted(columns)  # a column that is added later goes to the end of a table
    )
    return TableSchema(columns=tuple(described), key=key)


def _reusable(
    previous: TableSnapshot | None, columns: Mapping[str, str], changed: Iterable[str] | None
) -> Mapping[str, TablePart]:
    if previous is None or changed is None or dict(previous.columns) != dict(columns):
        return {}
    gone = set(changed)
    return {value: part for value, part in previous.parts.items() if value not in gone}


def _partitions(opened: Any, by: list[str]) -> dict[str, int]:
    """Count the rows of each partition from the log alone."""
    actions = pa.table(opened.get_add_actions(flatten=True)).to_pylist()
    found: dict[str, int] = {} if by else {WHOLE: 0}
    for each in sorted(actions, key=lambda action: str(action["path"])):
        value = "/".join(str(each[f"partition.{name}"]) for name in by) or WHOLE
        found[value] = found.get(value, 0) + each["num_records"]
    return dict(sorted(found.items()))


def _digested(opened: Any, by: list[str], value: str, schema: TableSchema) -> TablePart:
    values = value.split("/", len(by) - 1) if by else []
    tests = [f"{quoted(n)} = {literal(v)}" for n, v in zip(by, values, strict=True)]
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    names = ", ".join(map(quoted, schema.names))
    frame = select(f"SELECT {names} FROM t{where}", {"t": opened})
    return TablePart(rows=len(frame), digest=table_digest(frame, schema))


def _digest(columns: Mapping[str, str], parts: Mapping[str, TablePart]) -> str:
    content = {
        "columns": dict(columns),
        "parts": {value: part.digest for value, part in parts.items()},
    }
    return Digest.of(canonical_json(content)).text


def _changes(previous: TableSnapshot | None, columns: Mapping[str, str]) -> tuple[str, ...]:
    if previous is None:
        return ()
    old = previous.columns
    added = [f"added {name} {kind}" for name, kind in columns.items() if name not in old]
    gone = [f"removed {name} {kind}" for name, kind in old.items() if name not in columns]
    changed = [
        f"changed {name} from {old[name]} to {kind}"
        for name, kind in columns.items()
        if name in old and old[name] != kind
    ]
    return (*added, *gone, *changed)
