"""A table that is stored in increments is one source: to readers, gc, verify, copies, traces."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airnub_prefect_starter.core.data_cleaning import core_process_and_store
from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.lineage import render_trace, trace
from airnub_prefect_starter.core.manifest_models import DerivedResult, SourceResult
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.steps import ProcessingStep
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.copying import copy_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.gc import mark, sweep
from airnub_prefect_starter.core.store.layout import manifest_key
from airnub_prefect_starter.core.store.verify import verify
from airnub_prefect_starter.core.tables import read_parquet
from tests.unit.core.store.tools import HandClock, clocked_store

REF = "ingestion.items/items"
STEP = ProcessingStep.model_validate(
    {
        "source_id": "items",
        "inputs": [REF],
        "reader": "json_lines",
        "table": {
            "columns": [{"name": "id", "dtype": "int"}, {"name": "name", "dtype": "string"}],
            "key": ["id"],
        },
    }
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Store:
    return clocked_store(tmp_path / "store", clock)


class Shop:
    """A table that changes, and how it is fetched."""

    def __init__(self, file: Path, store: Store) -> None:
        self._file = file
        self._store = store
        self.change("CREATE TABLE items (id INTEGER, name TEXT, w INTEGER)")

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute(statement)

    def fetch(self, watermark: str | None = "w") -> SourceResult:
        url = f"sqlite:///{self._file}"
        source = DatabaseSource(
            source_id="items", url=url, table="items", key=("id",), watermark=watermark
        )
        return core_fetch_table(self._store, source, namespace="ingestion.items")


@pytest.fixture
def shop(tmp_path: Path, store: Store) -> Shop:
    return Shop(tmp_path / "shop.db", store)


@pytest.fixture
def three_reads(shop: Shop, clock: HandClock) -> list[SourceResult]:
    """A first read, one of a changed and a new row, and one with an equal watermark."""
    reads = []
    for statement in (
        "INSERT INTO items VALUES (1, 'one', 1), (2, 'two', 2)",
        "REPLACE INTO items VALUES (3, 'three', 3)",
        "INSERT INTO items VALUES (4, 'four', 3)",
    ):
        shop.change(statement)
        if statement.startswith("REPLACE"):
            shop.change("UPDATE items SET name = 'TWO', w = 3 WHERE id = 2")
        reads.append(shop.fetch())
        clock.forward(days=1)
    return reads


def table_of(store: Store, made: DerivedResult) -> list[tuple[int, str]]:
    (output,) = made.outputs
    frame = read_parquet(store.read_blob(output.blob.digest))
    return list(zip(frame["id"].tolist(), frame["name"].tolist(), strict=True))


def process(store: Store) -> DerivedResult:
    return core_process_and_store(store, STEP, namespace="processing.items")


def test_processing_reads_the_whole_and_the_latest_of_each_row(
    store: Store, three_reads: list[SourceResult]
) -> None:
    made = process(store)

    assert table_of(store, made) == [(1, "one"), (2, "TWO"), (3, "three"), (4, "four")]
    assert process(store).outcome == "not_modified"


def test_increments_give_the_table_that_one_read_gives(
    tmp_path: Path, store: Store, shop: Shop, three_reads: list[SourceResult]
) -> None:
    by_increments = process(store)
    assert shop.fetch(watermark=None).outcome == "stored"

    at_once = process(store)

    assert at_once.table_digest == by_increments.table_digest


def test_gc_takes_nothing_that_an_increment_continues(
    store: Store, clock: HandClock, three_reads: list[SourceResult]
) -> None:
    clock.forward(days=30)
    assert mark(store).key is None
    report = verify(store, level="deep")

    assert (report.violations, report.unreferenced) == ((), 0)


def test_gc_takes_a_chain_that_was_begun_anew(
    store: Store, shop: Shop, clock: HandClock, three_reads: list[SourceResult]
) -> None:
    shop.fetch(watermark=None)
    clock.forward(days=30)
    mark(store)
    clock.forward(days=30)

    swept = sweep(store, apply=True)

    assert (swept.manifests, swept.blobs) == (3, 3)
    assert verify(store, level="deep").violations == ()


def test_a_pinned_increment_keeps_what_it_continues(
    store: Store, shop: Shop, clock: HandClock, three_reads: list[SourceResult]
) -> None:
    store.pin("audit", three_reads[1].manifest)
    shop.fetch(watermark=None)
    clock.forward(days=30)

    assert mark(store).manifests == 1


def test_a_missing_part_is_found(store: Store, three_reads: list[SourceResult]) -> None:
    lost = manifest_key(Digest(three_reads[0].manifest))
    store.backend.delete([lost])

    found = verify(store, level="meta").violations

    assert [(each.kind, each.key) for each in found] == [("MissingManifest", lost)]


def test_a_copy_has_every_part(
    tmp_path: Path, store: Store, three_reads: list[SourceResult]
) -> None:
    target = open_store((tmp_path / "copy").as_uri())

    report = copy_store(store, target)

    assert (report.manifests, report.blobs) == (3, 3)
    assert table_of(target, process(target))[-1] == (4, "four")


def test_a_trace_shows_every_part(store: Store, three_reads: list[SourceResult]) -> None:
    process(store)

    text = render_trace(trace(store, "processing.items/items"))

    for read in three_reads:
        assert read.manifest.removeprefix("sha256:")[:12] in text
    assert "source sqlite:///shop.db#items" in text
