"""Gold tables in PostgreSQL: readers see all rows of one version or all of the next.

The rows go by COPY into a staging table of the session. Then, in the same transaction, they take
the place of the table's own, so that neither a reader nor a crash ever meets a half: PostgreSQL
shows each statement the rows of one moment. The table itself stays, with the views and grants that
it has; it is made anew only where its columns are others.

``published`` says of each table which rows it has. Equal rows are not published again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import psycopg
from psycopg import sql
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import WarehouseError, WarehouseUnavailableError
from airnub_prefect_starter.core.database.errors import is_not_now
from airnub_prefect_starter.core.database.url import shown_url
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from airnub_prefect_starter.core.manifest_models import Record, RunInfo

PUBLISHED = "published"
_TYPES: Mapping[str, str] = {
    "string": "text",
    "long": "bigint",
    "integer": "integer",
    "short": "smallint",
    "byte": "smallint",
    "double": "double precision",
    "float": "real",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
    "timestamp_ntz": "timestamp without time zone",
    "binary": "bytea",
}
_SETTINGS = "SELECT set_config('statement_timeout', %s, true), set_config('timezone', 'UTC', true)"
_CREATE_PUBLISHED = """
CREATE TABLE IF NOT EXISTS {} (
    name text PRIMARY KEY,
    table_digest text NOT NULL,
    version bigint NOT NULL,
    rows bigint NOT NULL,
    run_id text,
    published_at timestamp with time zone NOT NULL
)"""
_REMEMBER = """
INSERT INTO {} VALUES (%s, %s, %s, %s, %s, now())
ON CONFLICT (name) DO UPDATE SET table_digest = excluded.table_digest,
    version = excluded.version, rows = excluded.rows, run_id = excluded.run_id,
    published_at = excluded.published_at"""
_COLUMNS_OF = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""


@dataclass(frozen=True)
class TableVersion:
    """A version of a Delta table that is to be published.

    Attributes:
        columns: Delta types by name, in the order of the rows' values.
        version: Its number in the Delta log.
        digest: The table digest of its rows.
    """

    columns: Mapping[str, str]
    version: int
    digest: str


class Publication(Record):
    """How the publication of one table fared."""

    name: str
    outcome: Literal["stored", "not_modified"]
    version: int
    rows: int
    table_digest: str


class Target:
    """One table of a warehouse, in an open transaction."""

    def __init__(
        self, connection: psycopg.Connection, warehouse: Warehouse, table: PublishedTable
    ) -> None:
        self._connection = connection
        self._timeout_ms = str(warehouse.statement_timeout_s * 1000)
        self._schema = warehouse.db_schema
        self._name = table.name
        self._table = sql.Identifier(self._schema, self._name)
        self._published = sql.Identifier(self._schema, PUBLISHED)

    def prepare(self) -> None:
        """Make the schema and ``published``, and keep others from publishing this table."""
        # Two sessions that make the same schema at once would fail, so that takes turns as well.
        self._begin(self._schema)
        if self._one("SELECT to_regnamespace(%s)", [_quoted(self._schema)]) is None:
            self._run(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
        self._run(sql.SQL(_CREATE_PUBLISHED).format(self._published))
        self._connection.commit()
        self._begin(f"{self._schema}.{self._name}")

    def rows_of(self, version: TableVersion) -> int | None:
        """Count the rows that were published, if they are those of a version; else None."""
        found = self._connection.execute(
            sql.SQL("SELECT table_digest, rows FROM {} WHERE name = %s").format(self._published),
            [self._name],
        ).fetchone()
        if found is None or found[0] != version.digest or self._present() != _ddl(version.columns):
            return None
        return int(found[1])

    def replace(self, version: TableVersion, rows: Iterable[Sequence[Any]], run: RunInfo) -> int:
        """Put rows in the place of those that are there, and return how many they are."""
        columns = _ddl(version.columns)
        staging = sql.Identifier("staging")
        self._run(
            sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(
                staging, _column_list(columns)
            )
        )
        count = self._copy(staging, columns, rows)
        if self._present() != columns:
            self._run(sql.SQL("DROP TABLE IF EXISTS {}").format(self._table))
            self._run(sql.SQL("CREATE TABLE {} ({})").format(self._table, _column_list(columns)))
        self._run(sql.SQL("DELETE FROM {}").format(self._table))
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}")
        self._run(insert.format(self._table, names, names, staging))
        self._connection.execute(
            sql.SQL(_REMEMBER).format(self._published),
            [self._name, version.digest, version.version, count, run.flow_run_id],
        )
        return count

    def _copy(
        self, staging: sql.Identifier, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]
    ) -> int:
        count = 0
        statement = sql.SQL("COPY {} FROM STDIN").format(staging)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([kind.partition("(")[0] for kind in columns.values()])
            for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one counts
                copy.write_row(row)
        return count

    def _present(self) -> dict[str, str]:
        name = f"{_quoted(self._schema)}.{_quoted(self._name)}"
        return dict(self._connection.execute(_COLUMNS_OF, [name]).fetchall())

    def _begin(self, lock: str) -> None:
        # For this transaction alone, so that a pooler in between does not mind.
        self._connection.execute(_SETTINGS, [self._timeout_ms])
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])

    def _run(self, statement: sql.Composed) -> None:
        self._connection.execute(statement)

    def _one(self, statement: str, values: list[str]) -> Any:
        found = self._connection.execute(statement.encode(), values).fetchone()
        return found[0] if found else None


@contextmanager
def open_target(
    warehouse: Warehouse, table: PublishedTable, password: SecretStr | None
) -> Iterator[Target]:
    """Open a table of a warehouse for publication; what was done counts if nothing is raised.

    Raises:
        WarehouseUnavailableError: It cannot be reached, or was lost on the way. A retry may help.
        WarehouseError: It refuses: the password, a right, a value. No retry.
    """
    try:
        with _connected(warehouse, password) as connection:
            target = Target(connection, warehouse, table)
            target.prepare()
            yield target
    except psycopg.Error as error:
        raise _translate(error, warehouse, table) from error


def _connected(warehouse: Warehouse, password: SecretStr | None) -> psycopg.Connection:
    return psycopg.connect(
        warehouse.url.replace("postgresql+psycopg://", "postgresql://", 1),
        password=password.get_secret_value() if password else None,
        connect_timeout=warehouse.connect_timeout_s,
        prepare_threshold=None,  # a pooler may give each transaction another session
    )


def _translate(error: psycopg.Error, warehouse: Warehouse, table: PublishedTable) -> WarehouseError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0][:300] if lines else type(error).__name__
    what = f"{shown_url(warehouse.url)}, table {warehouse.db_schema}.{table.name}: {reason}"
    lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if is_not_now(error, lost=lost):
        return WarehouseUnavailableError(what, "Check that the database runs and can be reached")
    return WarehouseError(
        what, "Check the address, the user, its rights and the secret with its password"
    )


def rows_of_frame(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Give a frame's rows as values that PostgreSQL's driver knows; what is missing is None."""
    columns = [_plain(frame[name]) for name in frame.columns]
    return zip(*columns, strict=True)


def _plain(values: pd.Series[Any]) -> list[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return [None if pd.isna(each) else each.to_pydatetime() for each in values]
    return [None if _is_missing(each) else each for each in values.tolist()]


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or _is_nan(value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _ddl(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: _type(name, kind) for name, kind in columns.items()}


def _type(column: str, kind: str) -> str:
    if kind.startswith("decimal("):
        return kind.replace("decimal", "numeric", 1)
    if kind not in _TYPES:
        raise WarehouseError(
            f"Column {column} is of type {kind[:80]}, for which the warehouse has none",
            "Leave the column out, or make text of it",
        )
    return _TYPES[kind]


def _column_list(columns: Mapping[str, str]) -> sql.Composed:
    # The types are those of this module, and decimal(p,s), whose digits Delta has checked.
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in columns.items()
    )


def _quoted(name: str) -> str:
    return f'"{name}"'
