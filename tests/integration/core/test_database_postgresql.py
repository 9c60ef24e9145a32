"""Tables of a real PostgreSQL: the same bytes as from SQLite, one snapshot, typed errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import (
    PayloadError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
    TooSlowError,
)
from airnub_prefect_starter.core.database.reader import open_table
from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.derivation import read_inputs
from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import Store, open_store
from tests.database_kit import ROWS, TYPES, make_sqlite, sqlite_source
from tests.postgres_kit import Postgres
from tests.s3_kit import free_port

NAMESPACE = "ingestion.items"
MakeSource = Callable[..., DatabaseSource]


@pytest.fixture
def database(postgres: Postgres, schema: str) -> Iterator[psycopg.Connection]:
    """A connection whose statements find and make what is in the test's schema."""
    with postgres.connect() as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        yield connection


@pytest.fixture
def source(postgres: Postgres, schema: str) -> MakeSource:
    def make(**changes: Any) -> DatabaseSource:
        values = {"source_id": "items", "url": postgres.url, "table": "items", "db_schema": schema}
        return DatabaseSource.model_validate({**values, "key": ["id"], **changes})

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def fetch(postgres: Postgres, store: Store) -> Callable[[DatabaseSource], SourceResult]:
    def run(source: DatabaseSource) -> SourceResult:
        return core_fetch_table(store, source, namespace=NAMESPACE, auth=postgres.password)

    return run


Fetch = Callable[[DatabaseSource], SourceResult]


def make_items(database: psycopg.Connection) -> None:
    columns = ", ".join(f'"{name}" {types[1]}' for name, types in TYPES.items())
    # An own language orders Ä between A and B: nothing of that may reach the bytes.
    made = f"CREATE TABLE items ({columns})".replace("text NOT", 'text COLLATE "de-x-icu" NOT')
    run(database, made)
    add_items(database, ROWS)


def add_items(database: psycopg.Connection, rows: tuple[tuple[Any, ...], ...]) -> None:
    marks = sql.SQL(", ").join([sql.Placeholder()] * len(TYPES))
    with database.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO items VALUES ({})").format(marks), rows)


def run(database: psycopg.Connection, statement: str) -> None:
    database.execute(statement.encode())


@pytest.mark.parametrize(
    ("key", "watermark"), [("id", None), ("name", None), ("id", "updated_at"), ("name", "price")]
)
def test_equal_rows_give_the_bytes_that_sqlite_gives(
    database: psycopg.Connection,
    source: MakeSource,
    fetch: Fetch,
    tmp_path: Path,
    key: str,
    watermark: str | None,
) -> None:
    make_items(database)
    make_sqlite(tmp_path / "items.db")
    settings = {"key": [key], "watermark": watermark, "chunk_rows": 3}
    store = open_store((tmp_path / "other").as_uri())
    expected = sqlite_source(tmp_path / "items.db", **settings)

    found = fetch(source(**settings))

    assert found.blob == core_fetch_table(store, expected, namespace=NAMESPACE).blob


@pytest.mark.parametrize("watermark", ["updated_at", "price", "ratio", "name", "id"])
def test_only_new_rows_are_read_again(
    database: psycopg.Connection, source: MakeSource, fetch: Fetch, store: Store, watermark: str
) -> None:
    make_items(database)
    table = source(watermark=watermark)
    first = fetch(table)
    assert fetch(table).outcome == "not_modified"

    added = (9, "Übel", "2013-01-02 00:00:00.000001+00:00", 99, 1e23, *ROWS[2][5:])
    add_items(database, (added,))
    second = fetch(table)

    assert (second.outcome, store.read_blob(second.blob.digest).count(b"\n")) == ("stored", 1)
    assert fetch(table).outcome == "not_modified"
    assert [each.blob for each in read_inputs(store, [f"{NAMESPACE}/items"])] == [
        second.blob.digest,
        first.blob.digest,
    ]


def test_what_is_written_while_a_table_is_read_is_not_seen(
    database: psycopg.Connection, source: MakeSource, postgres: Postgres
) -> None:
    make_items(database)

    with open_table(source(chunk_rows=1), postgres.password) as table:
        chunks = table.chunks()
        first = next(chunks)
        cursors = table.view.connection.exec_driver_sql("SELECT count(*) FROM pg_cursors").scalar()
        run(database, "DELETE FROM items WHERE id > 2")
        rest = list(chunks)

    assert cursors == 1
    assert [row.place for chunk in (first, *rest) for row in chunk] == [(1,), (2,), (3,), (4,)]


def test_a_read_cannot_write(
    database: psycopg.Connection, source: MakeSource, fetch: Fetch, schema: str
) -> None:
    make_items(database)
    run(
        database,
        "CREATE FUNCTION spoil() RETURNS integer LANGUAGE sql AS 'DELETE FROM items; SELECT 1'",
    )
    run(database, f"ALTER FUNCTION spoil SET search_path = {schema}")
    run(database, "CREATE VIEW trap AS SELECT id, spoil() AS spoilt FROM items")

    with pytest.raises(SourceRejectedError, match="read-only"):
        fetch(source(table="trap"))


def test_enumerations_and_domains_order_by_their_text(
    database: psycopg.Connection, source: MakeSource, fetch: Fetch, store: Store
) -> None:
    run(database, "CREATE TYPE size AS ENUM ('small', 'large')")
    run(database, "CREATE DOMAIN amount AS numeric CHECK (VALUE > 0)")
    run(database, "CREATE TABLE items (id size, n amount, u uuid)")
    run(database, "INSERT INTO items VALUES ('small', 1.50, gen_random_uuid()), ('large', 2, NULL)")

    found = fetch(source(key=["id"], columns=["id", "n"]))

    lines = store.read_blob(found.blob.digest).splitlines()
    assert lines == [b'{"id":"large","n":2}', b'{"id":"small","n":1.5}']


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("interval", "'1 day'", "INTERVAL"),
        ("integer[]", "'{1}'", "ARRAY"),
        ("inet", "'127.0.0.1'", "INET"),
        ("numeric", "'NaN'", "row with id=1"),
        ("double precision", "'Infinity'", "row with id=1"),
        ("timestamp", "'infinity'", "infinity|too large"),
    ],
)
def test_what_json_cannot_express_is_refused(
    database: psycopg.Connection,
    source: MakeSource,
    fetch: Fetch,
    column: str,
    value: str,
    match: str,
) -> None:
    run(database, f"CREATE TABLE items AS SELECT 1 AS id, {value}::{column} AS odd")

    with pytest.raises(PayloadError, match=match):
        fetch(source())


def test_a_wrong_password_is_refused_and_not_repeated(
    source: MakeSource, store: Store, postgres: Postgres
) -> None:
    with pytest.raises(SourceRejectedError) as found:
        core_fetch_table(store, source(), namespace=NAMESPACE, auth=SecretStr("hunter-2"))

    assert not found.value.transient
    assert "hunter-2" not in str(found.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://{user}@{host}/no_such_database", SourceRejectedError),
        ("postgresql://no_such_user@{host}/postgres", SourceRejectedError),
        ("postgresql://{user}@127.0.0.1:{closed}/postgres", SourceUnavailableError),
        ("postgresql://{user}@no-such-host.invalid/postgres", SourceUnavailableError),
    ],
)
def test_what_cannot_be_opened(
    source: MakeSource,
    fetch: Fetch,
    postgres: Postgres,
    address: str,
    expected: type[SourceError],
) -> None:
    user, _, host = postgres.url.removeprefix("postgresql://").partition("/")[0].partition("@")
    url = address.format(user=user, host=host, closed=free_port())

    with pytest.raises(expected):
        fetch(source(url=url))


def test_no_such_table_names_the_nearest(
    database: psycopg.Connection, source: MakeSource, fetch: Fetch
) -> None:
    make_items(database)

    with pytest.raises(SourceRejectedError, match="Did you mean items"):
        fetch(source(table="itmes"))


def test_no_right_to_read(
    database: psycopg.Connection, source: MakeSource, store: Store, postgres: Postgres, schema: str
) -> None:
    if not postgres.ours:
        pytest.skip("No user is made on a server that others use")
    make_items(database)
    user = f"u_{schema}"
    run(
        database,
        f"CREATE ROLE {user} LOGIN PASSWORD 'other'; GRANT USAGE ON SCHEMA {schema} TO {user}",
    )
    url = postgres.url.replace(postgres.url.partition("//")[2].partition("@")[0], user)
    try:
        with pytest.raises(SourceRejectedError, match="permission denied"):
            core_fetch_table(store, source(url=url), namespace=NAMESPACE, auth=SecretStr("other"))
    finally:
        run(database, f"DROP OWNED BY {user}; DROP ROLE {user}")


def test_a_statement_that_takes_too_long(
    database: psycopg.Connection, source: MakeSource, fetch: Fetch
) -> None:
    run(database, "CREATE VIEW items AS SELECT 1 AS id, pg_sleep(60)::text AS slept")

    with pytest.raises(TooSlowError, match="1 s"):
        fetch(source(limits={"statement_timeout_s": 1}))


# SQLAlchemy drops the cursor of a lost connection without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_that_is_lost_midway_stores_nothing(
    database: psycopg.Connection, source: MakeSource, fetch: Fetch, tmp_path: Path
) -> None:
    # Its second chunk ends the session that reads it.
    run(database, "CREATE TABLE numbers (id integer)")
    run(database, "INSERT INTO numbers SELECT generate_series(1, 3)")
    run(
        database,
        "CREATE VIEW items AS SELECT id, CASE WHEN id = 3 "
        "THEN pg_terminate_backend(pg_backend_pid()) END AS gone FROM numbers",
    )

    with pytest.raises(SourceUnavailableError):
        fetch(source(chunk_rows=1))

    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["cas.json"]
