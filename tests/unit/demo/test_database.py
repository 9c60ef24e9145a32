"""The sample database: filled once, whole, and equal wherever it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import SourceUnavailableError
from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.database import fill_database


@pytest.fixture(scope="module")
def tables() -> SampleTables:
    return SampleTables()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, tables: SampleTables) -> str:
    address = f"sqlite:///{tmp_path_factory.mktemp('home') / 'more' / 'sources.db'}"
    fill_database(address, tables)
    return address


@pytest.mark.parametrize(
    ("table", "key", "rows"),
    [
        ("airlines", ["carrier"], 16),
        ("airports", ["faa"], 1458),
        ("flights_daily", ["date", "origin", "carrier"], 11864),
    ],
)
def test_each_table_can_be_a_source_with_a_watermark(
    tmp_path: Path, url: str, table: str, key: list[str], rows: int
) -> None:
    source = DatabaseSource.model_validate(
        {"source_id": table, "url": url, "table": table, "key": key, "watermark": "updated_at"}
    )
    store = open_store(tmp_path.as_uri())

    result = core_fetch_table(store, source, namespace="ingestion.sample")
    lines = store.read_blob(result.blob.digest).splitlines()

    assert len(lines) == rows
    assert b'Z"' in lines[0], "its watermark has a zone"
    assert core_fetch_table(store, source, namespace="ingestion.sample").outcome == "not_modified"


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, tables: SampleTables) -> None:
    file = tmp_path / "sources.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE own (id INTEGER)")
    before = file.read_bytes()

    fill_database(f"sqlite:///{file}", tables)

    assert file.read_bytes() == before


def test_a_file_that_was_not_finished_is_made_anew(tmp_path: Path, tables: SampleTables) -> None:
    (tmp_path / ".sources.db.part").write_text("half")

    fill_database(f"sqlite:///{tmp_path / 'sources.db'}", tables)

    assert [path.name for path in tmp_path.iterdir()] == ["sources.db"]


def test_a_server_that_is_not_there(tables: SampleTables) -> None:
    with pytest.raises(SourceUnavailableError, match="cannot be filled"):
        fill_database("postgresql://reader@127.0.0.1:9/flights", tables)
