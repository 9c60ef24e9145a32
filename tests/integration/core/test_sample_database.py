"""The sample database of a cluster has the rows of the one in a file, for who may only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.manifest_models import Descriptor
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.database import READER, WAREHOUSE, fill_database
from tests.postgres_kit import PASSWORD, Postgres

TABLES = {
    "airlines": ["carrier"],
    "airports": ["faa"],
    "flights_daily": ["date", "origin", "carrier"],
}


@pytest.fixture(scope="module")
def samples() -> SampleTables:
    return SampleTables()


@pytest.fixture(scope="module")
def server(postgres: Postgres, samples: SampleTables) -> Iterator[str]:
    """The address of a filled database, for its reader."""
    if not postgres.ours:
        pytest.skip("No database is made on a server that others use")
    host = postgres.url.partition("@")[2].partition("/")[0]
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE flights")
        full = f"postgresql://tester:{PASSWORD}@{host}/flights"
        fill_database(full, samples)
        fill_database(full, samples)  # nothing the second time
        connection.execute(f"ALTER ROLE {READER} PASSWORD '{PASSWORD}'")
        connection.execute(f"ALTER ROLE {WAREHOUSE} PASSWORD '{PASSWORD}'")
        yield f"postgresql://{READER}@{host}/flights"
        connection.execute("DROP DATABASE flights WITH (FORCE)")
        connection.execute(f"DROP ROLE {READER}")
        connection.execute(f"DROP ROLE {WAREHOUSE}")


def stored(url: str, table: str, folder: Path) -> Descriptor:
    source = DatabaseSource.model_validate(
        {"source_id": table, "url": url, "table": table, "key": TABLES[table]}
        | {"watermark": "updated_at"}
    )
    store = open_store(folder.as_uri())
    return core_fetch_table(store, source, namespace="sample", auth=SecretStr(PASSWORD)).blob


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_the_same(server: str, samples: SampleTables, tmp_path: Path, table: str) -> None:
    file = f"sqlite:///{tmp_path / 'sources.db'}"
    fill_database(file, samples)

    assert stored(server, table, tmp_path / "a") == stored(file, table, tmp_path / "b")


def test_the_reader_cannot_write(server: str) -> None:
    with (
        psycopg.connect(server, password=PASSWORD) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("DELETE FROM airlines")


def test_the_warehouse_has_a_schema_of_its_own_that_the_reader_may_read(server: str) -> None:
    writer = server.replace(f"{READER}@", f"{WAREHOUSE}@")
    with psycopg.connect(writer, password=PASSWORD) as connection:
        connection.execute("CREATE TABLE warehouse.days (day date)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM airlines")
        connection.rollback()
        connection.execute("CREATE TABLE warehouse.days (day date)")
    with psycopg.connect(server, password=PASSWORD) as connection:
        assert connection.execute("SELECT count(*) FROM warehouse.days").fetchone() == (0,)
