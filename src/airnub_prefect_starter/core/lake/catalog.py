"""The catalog: what tables there are and what is known of each, from their logs alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Literal

import pyarrow as pa
from deltalake import DeltaTable
from pydantic import Field

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.derivation import Derivation, code_digest, commit, find_unchanged
from airnub_prefect_starter.core.lake import time_travel
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import SNAPSHOT, TableSnapshot, parse_snapshot
from airnub_prefect_starter.core.lake.time_travel import Commit, history
from airnub_prefect_starter.core.lake.writing import columns_of
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    DigestText,
    Record,
    RunInfo,
    canonical_json,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest

CATALOG: Literal["application/vnd.airnub.lake-catalog.v1+json"] = (
    "application/vnd.airnub.lake-catalog.v1+json"
)
FILE = "catalog.json"


class ColumnEntry(Record):
    """A column: its name and its Delta type."""

    name: str
    type: str


class CatalogEntry(Record):
    """One table: its newest version, what it consists of, and who made it of what.

    Attributes:
        versions: How many its log still has; the oldest of them is ``first_version``.
        columns: In the table's order.
        partitions: How many there are.
        files: Of the newest version; ``bytes`` is their size.
        ref: The ref of its last snapshot, for ``airnub trace``; None where no step makes it.
        digest: The table digest of that snapshot's rows.
        contract: Digest of the contract that the rows were held to.
    """

    table: str
    version: int
    first_version: int
    versions: int
    columns: tuple[ColumnEntry, ...]
    partition_by: tuple[str, ...]
    partitions: int
    files: int
    bytes: int
    rows: int
    last_commit: Commit
    ref: str | None = None
    digest: DigestText | None = None
    contract: DigestText | None = None


class LakeCatalog(Record):
    """Every table of a lake, sorted by name."""

    schema_version: Literal[1] = 1
    media_type: Literal["application/vnd.airnub.lake-catalog.v1+json"] = CATALOG
    tables: tuple[CatalogEntry, ...] = Field(default=())


class _Made(Record):
    """What the content store says of a table: the derivation that its ref points to."""

    given: DerivedInput
    snapshot: TableSnapshot
    contract: DigestText | None = None


def read_entry(store: Store, table: str) -> CatalogEntry:
    """Describe one table as it is now.

    Raises:
        ObjectNotFoundError: There is no such table. No retry.
        StoreError: Its log cannot be read.
    """
    return _entry(Lake.of(store), table, _made(store).get(table))


def read_entries(store: Store) -> tuple[CatalogEntry, ...]:
    """Describe every table as it is now.

    Raises:
        StoreError: A log cannot be read.
    """
    return _entries(store, _made(store))


def core_publish_catalog(
    store: Store, *, namespace: str, source_id: str = "catalog", run: RunInfo | None = None
) -> DerivedResult:
    """Describe every table and store that as canonical JSON, unless no table has a new version.

    Raises:
        StoreError: A log cannot be read, or the store not written.
    """
    made = _made(store)
    entries = _entries(store, made)
    parameters = {
        "code": code_digest(time_travel, sys.modules[__name__]),
        "versions": {each.table: each.version for each in entries},
    }
    inputs = tuple(made[table].given for table in sorted(made))
    derivation = Derivation(namespace, source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    blob, _ = store.put_bytes(LakeCatalog(tables=entries).canonical(), media_type=CATALOG)
    outputs = [DerivedOutput(name=FILE, blob=blob)]
    return commit(store, derivation, outputs, run=run or RunInfo())


def read_catalog(store: Store, result: DerivedResult) -> LakeCatalog:
    """Read back a catalog that was stored.

    Raises:
        CorruptObjectError: It is none. No retry.
    """
    try:
        return LakeCatalog.model_validate_json(store.read_blob(result.outputs[0].blob.digest))
    except ValueError as error:
        raise CorruptObjectError(
            f"{result.namespace}/{result.source_id} is no catalog", "Run its stage again"
        ) from error


def _made(store: Store) -> dict[str, _Made]:
    return {each.snapshot.table: each for each in _steps(store)}


def _steps(store: Store) -> Iterator[_Made]:
    for namespace, source_id, ref in store.refs():
        manifest = store.manifest(ref.manifest.digest)
        if not isinstance(manifest, DerivedManifest):
            continue
        contract = manifest.parameters.get("contract")
        for output in manifest.outputs:
            if output.blob.media_type == SNAPSHOT:
                yield _Made(
                    given=DerivedInput(
                        namespace=namespace,
                        source_id=source_id,
                        manifest=ref.manifest.digest,
                        blob=output.blob.digest,
                    ),
                    snapshot=parse_snapshot(store, output.blob.digest),
                    contract=Digest.of(canonical_json(contract)).text if contract else None,
                )


def _entries(store: Store, made: Mapping[str, _Made]) -> tuple[CatalogEntry, ...]:
    lake = Lake.of(store)
    return tuple(_entry(lake, table, made.get(table)) for table in lake.tables())


def _entry(lake: Lake, table: str, made: _Made | None) -> CatalogEntry:
    opened = lake.open(table)
    commits = history(opened)
    partition_by = tuple(opened.metadata().partition_columns)
    files, size, rows, partitions = _contents(opened, partition_by)
    return CatalogEntry(
        table=table,
        version=opened.version(),
        first_version=commits[-1].version,
        versions=len(commits),
        columns=tuple(ColumnEntry(name=n, type=t) for n, t in columns_of(opened).items()),
        partition_by=partition_by,
        partitions=partitions,
        files=files,
        bytes=size,
        rows=rows,
        last_commit=commits[0],
        ref=f"{made.given.namespace}/{made.given.source_id}" if made else None,
        digest=made.snapshot.digest if made else None,
        contract=made.contract if made else None,
    )


def _contents(opened: DeltaTable, by: tuple[str, ...]) -> tuple[int, int, int, int]:
    """Count files, their bytes and rows, and partitions."""
    with translated("Reading the log of a table"):
        actions = pa.table(opened.get_add_actions(flatten=True))
    values = actions.select([f"partition.{name}" for name in by]).to_pylist() if by else []
    return (
        actions.num_rows,
        sum(actions["size_bytes"].to_pylist()),
        sum(actions["num_records"].to_pylist()),
        len({tuple(each.values()) for each in values}),
    )
