"""Gold tables in a real PostgreSQL: whole versions, once each, and errors that tell what to do."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from psycopg import sql
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    WarehouseError,
    WarehouseUnavailableError,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.publish import core_publish_table
from airnub_prefect_starter.core.lake.warehouse import (
    TableVersion,
    open_target,
    rows_of_frame,
)
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from airnub_prefect_starter.core.lake.writing import WriteInfo, append
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import open_store
from tests.lake_kit import put_table
from tests.postgres_kit import Postgres
from tests.s3_kit import free_port

TABLE = PublishedTable(name="daily_flights", input="processing.lake_etl/gold.daily_flights")
COLUMNS = {"origin": "string", "flights": "long"}
RUN = RunInfo(flow_run_id="run-1")


def version(number: int, columns: Mapping[str, str] = COLUMNS) -> TableVersion:
    return TableVersion(columns=columns, version=number, digest=f"sha256:{number}")


@pytest.fixture
def warehouse(postgres: Postgres, schema: str) -> Warehouse:
    return Warehouse(url=postgres.url, db_schema=schema)


@pytest.fixture
def publish(warehouse: Warehouse, postgres: Postgres) -> Callable[..., int | None]:
    """Publish rows as a version; None where they are there already."""

    def call(rows: list[tuple[Any, ...]], of: TableVersion) -> int | None:
        with open_target(warehouse, TABLE, postgres.password) as target:
            return target.replace(of, rows, RUN) if target.rows_of(of) is None else None

    return call


def rows_in(postgres: Postgres, schema: str, name: str = TABLE.name) -> list[tuple[Any, ...]]:
    with postgres.connect() as connection:
        query = sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(schema, name))
        return connection.execute(query).fetchall()


def test_equal_rows_are_published_once(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    assert publish([("EWR", 2), ("JFK", 1)], version(1)) == 2
    assert publish([("never", 0)], version(1)) is None
    assert rows_in(postgres, schema) == [("EWR", 2), ("JFK", 1)]

    assert publish([("JFK", 5)], version(2)) == 1
    assert rows_in(postgres, schema) == [("JFK", 5)]
    ((name, digest, number, rows, run, moment),) = rows_in(postgres, schema, "published")
    assert (name, digest, number, rows, run) == (TABLE.name, "sha256:2", 2, 1, "run-1")
    assert moment.tzinfo is not None


@pytest.mark.parametrize(
    "lost",
    [
        "DROP TABLE {}",
        "ALTER TABLE {} DROP COLUMN flights",
        "ALTER TABLE {} ALTER COLUMN flights TYPE text",
    ],
)
def test_a_table_that_others_changed_is_published_again(
    publish: Callable[..., int | None], postgres: Postgres, schema: str, lost: str
) -> None:
    publish([("EWR", 2)], version(1))
    with postgres.connect() as connection:
        connection.execute(sql.SQL(lost).format(sql.Identifier(schema, TABLE.name)))

    assert publish([("EWR", 2)], version(1)) == 1
    assert rows_in(postgres, schema) == [("EWR", 2)]


def test_views_and_grants_survive_a_new_version(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    publish([("EWR", 2)], version(1))
    with postgres.connect() as connection:
        view = sql.SQL("CREATE VIEW {} AS SELECT origin FROM {}")
        connection.execute(
            view.format(sql.Identifier(schema, "origins"), sql.Identifier(schema, TABLE.name))
        )

    publish([("JFK", 1)], version(2))

    assert rows_in(postgres, schema, "origins") == [("JFK",)]
    wider = version(3, {**COLUMNS, "cancelled": "long"})
    with pytest.raises(WarehouseError, match="other objects depend on it"):
        publish([("JFK", 1, 0)], wider)
    assert rows_in(postgres, schema) == [("JFK", 1)]


def test_every_type_arrives_as_it_was(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    moment = dt.datetime(2013, 1, 1, 5, 0, 0, 25, dt.UTC)
    frame = pd.DataFrame(
        {
            "text": pd.array(["tab\t, \\N, ä, '", None], dtype="str"),
            "number": pd.array([2**53 + 1, None], dtype="Int64"),
            "real": [0.1, None],
            "truth": pd.array([True, None], dtype="boolean"),
            "day": [dt.date(2013, 1, 31), None],
            "moment": pd.Series([moment, None]).astype("datetime64[us, UTC]"),
        }
    )
    types = ["string", "long", "double", "boolean", "date", "timestamp"]
    columns = dict(zip(frame.columns, types, strict=True))

    publish(list(rows_of_frame(frame)), version(1, columns))

    with postgres.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        found = connection.execute(
            sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, TABLE.name))
        ).fetchall()
    first = ("tab\t, \\N, ä, '", 2**53 + 1, 0.1, True, dt.date(2013, 1, 31), moment)
    assert found == [first, (None,) * 6]


def test_a_reader_never_sees_half_a_version(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    """While versions of different sizes follow each other, every read has all rows of one."""
    sizes = {number: 500 * number for number in range(1, 9)}
    publish([("1", 1)] * sizes[1], version(1))
    query = sql.SQL("SELECT origin, count(*), sum(flights) FROM {} GROUP BY origin").format(
        sql.Identifier(schema, TABLE.name)
    )
    seen: set[str] = set()
    wrong: list[Any] = []
    done = threading.Event()

    def read() -> None:
        with postgres.connect() as connection:
            while not done.is_set():
                found = connection.execute(query).fetchall()
                seen.update(row[0] for row in found)
                if len(found) != 1 or found[0][1] != sizes[int(found[0][0])]:
                    wrong.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    try:
        for number in range(2, 9):
            publish([(str(number), 1)] * sizes[number], version(number))
    finally:
        done.set()
        for each in readers:
            each.join()

    assert not wrong
    assert seen


def test_a_reader_in_a_snapshot_keeps_its_version(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    publish([("EWR", 2)], version(1))
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, TABLE.name))
    with postgres.connect() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT 1")  # the snapshot is taken here

        publish([("JFK", 1)], version(2))

        assert connection.execute(query).fetchall() == [("EWR", 2)]


def test_what_fails_on_the_way_leaves_the_old_rows(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    publish([("EWR", 2)], version(1))

    with pytest.raises(WarehouseError, match="daily_flights"):
        publish([("JFK", 1), ("nul\0", 1)], version(2))

    assert rows_in(postgres, schema) == [("EWR", 2)]
    assert publish([("JFK", 1)], version(2)) == 1


def test_two_who_publish_at_once_take_turns(
    publish: Callable[..., int | None], postgres: Postgres, schema: str
) -> None:
    counts: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: counts.append(publish([("EWR", 2)], version(1))))
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(counts, key=str) == [1, None, None, None]
    assert rows_in(postgres, schema) == [("EWR", 2)]


def test_a_database_that_does_not_answer_may_later() -> None:
    away = Warehouse(url=f"postgresql://nobody@127.0.0.1:{free_port()}/lake")

    with (
        pytest.raises(WarehouseUnavailableError, match=r"table warehouse\.daily_flights"),
        open_target(away, TABLE, SecretStr("sesame")),
    ):
        pytest.fail("There is no such server")


def test_a_wrong_password_is_not_repeated(warehouse: Warehouse) -> None:
    with (
        pytest.raises(WarehouseError) as caught,
        open_target(warehouse, TABLE, SecretStr("open-sesame")),
    ):
        pytest.fail("It has another password")

    assert not caught.value.transient
    assert "authentication failed" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_type_without_a_counterpart_is_refused(publish: Callable[..., int | None]) -> None:
    with pytest.raises(WarehouseError, match="Column tags is of type array"):
        publish([([1],)], version(1, {"tags": "array<long>"}))


def test_a_schema_that_may_not_be_made_is_refused(postgres: Postgres, schema: str) -> None:
    if not postgres.ours:
        pytest.skip("No users are made on a server that others use")
    with postgres.connect() as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    try:
        url = postgres.url.replace("tester@", "guest@")
        with (
            pytest.raises(WarehouseError, match="permission denied"),
            open_target(Warehouse(url=url), TABLE, SecretStr("guest")),
        ):
            pytest.fail("A guest makes nothing")
    finally:
        with postgres.connect() as connection:
            connection.execute("DROP ROLE guest")


def test_a_gold_table_is_published_as_its_snapshot_names_it(
    warehouse: Warehouse, postgres: Postgres, schema: str, tmp_path: Path
) -> None:
    store = open_store((tmp_path / "store").as_uri(), durability="none")
    days = pd.DataFrame({"origin": ["EWR", "JFK"], "flights": [2, None]}).convert_dtypes()
    put_table(store, "gold/daily_flights", days, ["origin"])
    # A row that no snapshot names yet is not published.
    extra = pd.DataFrame({"origin": ["LGA"], "flights": [9]})
    append(Lake.of(store), "gold/daily_flights", extra, WriteInfo(RUN, "sha256:later"))

    first = core_publish_table(store, TABLE, warehouse, password=postgres.password, run=RUN)
    again = core_publish_table(store, TABLE, warehouse, password=postgres.password, run=RUN)

    assert (first.outcome, first.rows, first.version) == ("stored", 2, 0)
    assert (again.outcome, again.rows) == ("not_modified", 2)
    assert rows_in(postgres, schema) == [("EWR", 2), ("JFK", None)]
    assert rows_in(postgres, schema, "published")[0][1] == first.table_digest


def test_a_gold_table_that_was_not_made_yet_is_named(
    warehouse: Warehouse, postgres: Postgres, tmp_path: Path
) -> None:
    store = open_store((tmp_path / "store").as_uri(), durability="none")

    with pytest.raises(ObjectNotFoundError, match=r"gold\.daily_flights"):
        core_publish_table(store, TABLE, warehouse, password=postgres.password)
