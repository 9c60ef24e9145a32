"""Tables of SQLite into the store: whole, then by increments; and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import (
    PayloadError,
    SourceError,
    SourceRejectedError,
    SourceUnavailableError,
    TooLargeError,
    TooSlowError,
)
from airnub_prefect_starter.core.database.reader import open_table
from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.manifest_models import FetchManifest, SourceResult, TableRead
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import open_store
from tests.fetch_kit import Kept

NAMESPACE = "ingestion.items"
Make = Callable[..., DatabaseSource]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE items (id INTEGER NOT NULL, name TEXT, w TIMESTAMP)")
    connection.executemany("INSERT INTO items VALUES (?, ?, ?)", [(2, "b", "2013-01-02")])
    connection.execute("INSERT INTO items VALUES (1, 'a', '2013-01-01')")
    yield connection
    connection.close()


@pytest.fixture
def source(tmp_path: Path) -> Make:
    def make(**changes: Any) -> DatabaseSource:
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        values = {"source_id": "items", "url": url, "table": "items", "key": ["id"]}
        return DatabaseSource.model_validate({**values, **changes})

    return make


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    folder = tmp_path / "store"
    return Kept(open_store(folder.as_uri()), folder)


def fetch(kept: Kept, source: DatabaseSource) -> SourceResult:
    return core_fetch_table(kept.store, source, namespace=NAMESPACE)


def lines(kept: Kept, result: SourceResult) -> list[str]:
    return kept.store.read_blob(result.blob.digest).decode().splitlines()


def ids(kept: Kept, result: SourceResult) -> list[str]:
    return [line.partition('"id":')[2].partition(",")[0] for line in lines(kept, result)]


def read_of(kept: Kept, result: SourceResult) -> TableRead:
    manifest = kept.store.manifest(result.manifest)
    assert isinstance(manifest, FetchManifest)
    assert manifest.table is not None
    return manifest.table


def test_rows_are_stored_in_order_of_the_key_with_their_schema(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    result = fetch(kept, source())

    assert result.outcome == "stored"
    assert lines(kept, result) == [
        '{"id":1,"name":"a","w":"2013-01-01T00:00:00"}',
        '{"id":2,"name":"b","w":"2013-01-02T00:00:00"}',
    ]
    read = read_of(kept, result)
    assert [(each.name, each.kind, each.nullable) for each in read.columns] == [
        ("id", "integer", False),
        ("name", "text", True),
        ("w", "timestamp", True),
    ]
    assert (read.rows, read.watermark, read.continues) == (2, None, None)


def test_an_unchanged_table_writes_nothing(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source())
    before = kept.files()

    assert fetch(kept, source()).outcome == "not_modified"
    assert kept.files() == before


def test_without_a_watermark_a_changed_table_is_read_whole(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source())
    database.execute("DELETE FROM items WHERE id = 1")

    result = fetch(kept, source())

    assert (ids(kept, result), read_of(kept, result).continues) == (["2"], None)


@pytest.mark.parametrize("chunk_rows", [1, 2, 999, 1000, 1001])
def test_chunks_leave_no_trace(
    database: sqlite3.Connection, source: Make, kept: Kept, chunk_rows: int
) -> None:
    rows = [(number, "x", "2014-01-01") for number in range(3, 1001)]
    database.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)

    result = fetch(kept, source(chunk_rows=chunk_rows))

    assert ids(kept, result) == [str(number) for number in range(1, 1001)]


def test_no_more_than_a_chunk_is_held(database: sqlite3.Connection, source: Make) -> None:
    rows = [(number, "x", "2014-01-01") for number in range(3, 1001)]
    database.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)

    with open_table(source(chunk_rows=7), None) as table:
        sizes = [len(chunk) for chunk in table.chunks()]

    assert (max(sizes), sum(sizes)) == (7, 1000)


def test_text_is_ordered_by_its_bytes(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    database.execute("CREATE TABLE words (word TEXT COLLATE NOCASE NOT NULL)")
    database.executemany("INSERT INTO words VALUES (?)", [("b",), ("A",), ("a",), ("B",), ("ä",)])

    result = fetch(kept, source(table="words", key=["word"]))

    assert [line[9] for line in lines(kept, result)] == ["A", "B", "a", "b", "ä"]


def test_names_are_quoted(database: sqlite3.Connection, source: Make, kept: Kept) -> None:
    database.execute('CREATE TABLE "order; DROP TABLE items" ("select" INTEGER, "a ""b" TEXT)')
    database.execute("INSERT INTO \"order; DROP TABLE items\" VALUES (1, 'x')")

    result = fetch(kept, source(table="order; DROP TABLE items", key=["select", 'a "b']))

    assert lines(kept, result) == ['{"a \\"b":"x","select":1}']


# Increments


def test_only_rows_from_the_watermark_on_are_read(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    first = fetch(kept, source(watermark="w"))
    database.execute("INSERT INTO items VALUES (3, 'c', '2013-01-03')")

    second = fetch(kept, source(watermark="w"))

    read = read_of(kept, second)
    assert (second.outcome, ids(kept, second)) == ("stored", ["3"])
    assert read.continues == first.manifest
    assert read.watermark is not None
    assert (read.watermark.column, read.watermark.last) == ("w", "2013-01-03")


def test_without_new_rows_nothing_is_written(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source(watermark="w"))
    database.execute("INSERT INTO items VALUES (3, 'c', '2013-01-03')")
    fetch(kept, source(watermark="w"))
    before = kept.files()

    assert fetch(kept, source(watermark="w")).outcome == "not_modified"
    assert kept.files() == before


def test_a_row_that_comes_late_with_the_last_watermark_is_not_lost(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source(watermark="w"))
    database.execute("INSERT INTO items VALUES (1, 'late', '2013-01-02')")

    late = fetch(kept, source(watermark="w"))

    # The rows that have it are stored together: the later read counts where one stands twice.
    assert ids(kept, late) == ["1", "2"]
    assert fetch(kept, source(watermark="w")).outcome == "not_modified"


def test_a_row_that_moved_on_is_stored_again(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source(watermark="w"))
    database.execute("UPDATE items SET name = 'new', w = '2013-02-01' WHERE id = 2")

    moved = fetch(kept, source(watermark="w"))

    assert lines(kept, moved) == ['{"id":2,"name":"new","w":"2013-02-01T00:00:00"}']


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("INTEGER", [9, 10, 11]),
        ("REAL", [0.1, 0.30000000000000004, 0.4]),
        ("NUMERIC", [1, 1.5, 2]),
        ("TEXT", ["a", "b", "ä"]),
        ("DATE", ["2013-01-01", "2013-01-02", "2013-01-10"]),
        ("DATETIME", ["2013-01-01 05:00:00", "2013-01-01 05:00:00.5", "2013-01-01 05:00:01"]),
        ("DATETIME", [1356998400, 1356998401, 1356998402]),
    ],
)
def test_watermarks_of_every_type(
    database: sqlite3.Connection, source: Make, kept: Kept, declared: str, values: list[Any]
) -> None:
    database.execute(f"CREATE TABLE log (id INTEGER, w {declared})")
    table = source(table="log", watermark="w")
    for number, value in enumerate(values):
        database.execute("INSERT INTO log VALUES (?, ?)", (number, value))
        assert fetch(kept, table).outcome == "stored"
        assert fetch(kept, table).outcome == "not_modified"

    chain = read_of(kept, fetch(kept, table))

    assert chain.rows == 1
    assert chain.continues is not None


def test_after_so_many_increments_everything_is_read_again(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    table = source(watermark="w", max_increments=2)
    found = []
    for day in range(3, 7):
        database.execute("INSERT INTO items VALUES (?, 'x', ?)", (day, f"2013-01-0{day}"))
        found.append(read_of(kept, fetch(kept, table)))

    assert [(each.rows, each.continues is None) for each in found] == [
        (3, True),
        (1, False),
        (1, False),
        (6, True),
    ]


@pytest.mark.parametrize(
    "changes",
    [{"columns": ["id", "w"]}, {"key": ["id", "name"]}, {"watermark": "id"}, {"table": "view"}],
)
def test_another_configuration_begins_anew(
    database: sqlite3.Connection, source: Make, kept: Kept, changes: dict[str, Any]
) -> None:
    database.execute("CREATE VIEW view AS SELECT * FROM items")
    fetch(kept, source(watermark="w"))

    result = fetch(kept, source(**{"watermark": "w", **changes}))

    assert (read_of(kept, result).rows, read_of(kept, result).continues) == (2, None)


def test_a_chain_with_a_hole_begins_anew(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    first = fetch(kept, source(watermark="w"))
    database.execute("INSERT INTO items VALUES (3, 'c', '2013-01-03')")
    fetch(kept, source(watermark="w"))
    (lost,) = kept.folder.rglob(first.blob.digest.removeprefix("sha256:"))
    lost.unlink()

    result = fetch(kept, source(watermark="w"))

    assert (ids(kept, result), read_of(kept, result).continues) == (["1", "2", "3"], None)


# Schemas


@pytest.mark.parametrize("watermark", [None, "w"])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("ALTER TABLE items ADD COLUMN price NUMERIC", r"price \(decimal\) is new"),
        ("ALTER TABLE items DROP COLUMN name", r"name \(text\) is gone"),
        (
            "DROP TABLE items; CREATE TABLE items (id INTEGER, name DATE, w TIMESTAMP)",
            "name was text and is date",
        ),
    ],
)
def test_changed_columns_are_named(
    database: sqlite3.Connection,
    source: Make,
    kept: Kept,
    statement: str,
    message: str,
    watermark: str | None,
) -> None:
    fetch(kept, source(watermark=watermark))
    before = kept.files()
    database.executescript(statement)

    with pytest.raises(PayloadError, match=message):
        fetch(kept, source(watermark=watermark))

    assert kept.files() == before


def test_changed_columns_that_are_accepted_begin_anew(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source(watermark="w"))
    database.execute("ALTER TABLE items ADD COLUMN price NUMERIC")

    result = fetch(kept, source(watermark="w", on_schema_change="accept"))

    assert (read_of(kept, result).rows, read_of(kept, result).continues) == (2, None)
    assert fetch(kept, source(watermark="w")).outcome == "not_modified"


def test_columns_that_are_not_read_may_change(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source(columns=["id", "w"]))
    database.execute("ALTER TABLE items DROP COLUMN name")

    assert fetch(kept, source(columns=["id", "w"])).outcome == "not_modified"


# Refusals


@pytest.mark.parametrize(
    ("changes", "expected", "message"),
    [
        ({"table": "itms"}, SourceRejectedError, "Did you mean items"),
        ({"table": "nothing"}, SourceRejectedError, "It has: items"),
        ({"key": ["idd"]}, SourceRejectedError, "Did you mean id"),
        ({"columns": ["id", "naem"]}, SourceRejectedError, "Did you mean name"),
        ({"db_schema": "other"}, SourceRejectedError, "other"),
        ({"limits": {"max_rows": 1}}, TooLargeError, "more than 1 rows"),
        ({"limits": {"max_bytes": 60}}, TooLargeError, "60 bytes"),
    ],
)
def test_what_a_source_asks_in_vain(
    database: sqlite3.Connection,
    source: Make,
    kept: Kept,
    changes: dict[str, Any],
    expected: type[SourceError],
    message: str,
) -> None:
    before = kept.files()

    with pytest.raises(expected, match=message):
        fetch(kept, source(**changes))

    assert kept.files() == before


@pytest.mark.parametrize(
    ("statement", "changes", "message"),
    [
        ("INSERT INTO items VALUES (3, 'c', NULL)", {"watermark": "w"}, "id=3.*NULL"),
        ("INSERT INTO items VALUES (1, 'again', NULL)", {}, "id=1: there is more than one"),
        ("INSERT INTO items VALUES (3, 1e999, NULL)", {"columns": ["id", "name"]}, None),
        ("INSERT INTO items VALUES (3, 'c', 1e999)", {}, "id=3: it holds a number"),
        ("INSERT INTO items VALUES (3, CAST(x'ff' AS TEXT), NULL)", {}, "UTF-8"),
        ("INSERT INTO items VALUES (3, 'c', x'00')", {"watermark": "w"}, "no watermark"),
        ("DELETE FROM items", {}, "items has no rows"),
        ("CREATE VIEW odd AS SELECT id, id + 1 AS n FROM items", {"table": "odd", "watermark": "n"},
         "n is untyped"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_kept(
    database: sqlite3.Connection,
    source: Make,
    kept: Kept,
    statement: str,
    changes: dict[str, Any],
    message: str | None,
) -> None:
    database.execute(statement)
    if message is None:
        assert fetch(kept, source(**changes)).outcome == "stored"
        return

    with pytest.raises(PayloadError, match=message):
        fetch(kept, source(**changes))


def test_a_row_without_a_watermark_is_found_later_too(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    fetch(kept, source(watermark="w"))
    database.execute("INSERT INTO items VALUES (3, 'c', NULL)")

    with pytest.raises(PayloadError, match="NULL"):
        fetch(kept, source(watermark="w"))


def test_an_empty_table_may_be_allowed_and_grow(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    database.execute("CREATE TABLE later (id INTEGER, w TIMESTAMP)")
    table = source(table="later", key=["id"], watermark="w", require_nonempty=False)
    empty = fetch(kept, table)
    database.execute("INSERT INTO later SELECT id, w FROM items")

    assert (empty.blob.size, ids(kept, fetch(kept, table))) == (0, ["1", "2"])


def test_a_file_that_is_not_there_is_not_made(source: Make, kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError, match="unable to open") as found:
        fetch(kept, source(url=f"sqlite:///{tmp_path / 'none.db'}"))

    assert found.value.transient
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database(source: Make, kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all" * 100)

    with pytest.raises(SourceRejectedError, match="not a database"):
        fetch(kept, source(url=f"sqlite:///{tmp_path / 'text.db'}"))


def test_a_statement_that_takes_too_long(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    database.execute(
        "CREATE VIEW endless AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"
        " SELECT id FROM n"
    )

    with pytest.raises(TooSlowError, match="after 1 s"):
        fetch(kept, source(table="endless", limits={"statement_timeout_s": 1}))


def test_a_locked_file_can_be_asked_again(
    database: sqlite3.Connection, source: Make, kept: Kept
) -> None:
    database.execute("BEGIN EXCLUSIVE")

    with pytest.raises(SourceUnavailableError, match="locked"):
        fetch(kept, source(limits={"connect_timeout_s": 1}))
