"""One table of every type, in SQLite and PostgreSQL, whose rows must give the same bytes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from airnub_prefect_starter.core.sources import DatabaseSource

TYPES = {
    "id": ("INTEGER NOT NULL", "bigint NOT NULL"),
    "name": ("TEXT COLLATE NOCASE NOT NULL", "text NOT NULL"),
    "updated_at": ("TIMESTAMP NOT NULL", "timestamp with time zone NOT NULL"),
    "price": ("NUMERIC(12, 4)", "numeric(12, 4)"),
    "ratio": ("DOUBLE", "double precision"),
    "open": ("BOOLEAN", "boolean"),
    "day": ("DATE", "date"),
    "hour": ("TIME", "time"),
    "local": ("DATETIME", "timestamp"),
    "raw": ("BLOB", "bytea"),
    "facts": ("JSON", "jsonb"),
    "code": ("CHAR(2)", "char(2)"),
}
# As SQLite stores them; PostgreSQL reads the same texts.
ROWS: tuple[tuple[Any, ...], ...] = (
    (1, "Ärger", "2013-01-01 05:00:00+00:00", 1.5, 0.1, True, "2013-01-01", "05:00:00",
     "2013-01-01 05:00:00", b"\x00\xff", '{"b": 1.10, "a": [null, "ä"]}', "AA"),
    (2, "alpha", "2013-01-01 05:00:00+00:00", 5, 1e22, False, "2013-12-31", "23:59:59.5",
     "2013-01-01 05:00:00.25", b"", "[]", "B6"),
    (3, "Beta", "2013-01-01 06:30:00.5+00:00", -0.25, -2.0, *[None] * 7),
    (4, 'quo"te\n', "2013-01-02 00:00:00+00:00", 0, 0.30000000000000004, True, None, None, None,
     None, '"text"', "ZZ"),
)  # fmt: skip


def make_sqlite(path: Path, rows: tuple[tuple[Any, ...], ...] = ROWS) -> None:
    """Make a file with the table ``items``."""
    columns = ", ".join(f'"{name}" {types[0]}' for name, types in TYPES.items())
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE items ({columns})")
        add_sqlite(connection, rows)
    connection.close()


def add_sqlite(connection: sqlite3.Connection, rows: tuple[tuple[Any, ...], ...]) -> None:
    """Add rows to the table."""
    marks = ", ".join("?" * len(TYPES))
    connection.executemany(f"INSERT INTO items VALUES ({marks})", rows)  # noqa: S608 - no values


def sqlite_source(path: Path, **changes: Any) -> DatabaseSource:
    """Name the table of a file as a source."""
    values = {"source_id": "items", "url": f"sqlite:///{path}", "table": "items", "key": ["id"]}
    return DatabaseSource.model_validate({**values, **changes})
