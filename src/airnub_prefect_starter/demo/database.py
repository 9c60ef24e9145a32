"""The sample database: the same tables in a SQLite file and in a PostgreSQL, filled once.

``flights_daily`` grows by the day, and its ``updated_at`` with it: a watermark. Nobody who reads
needs a password, for the rows are public; in PostgreSQL they can be read and nothing else. There,
a schema for a warehouse is beside them: its writer may write to it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from airnub_prefect_starter.common.errors import SourceUnavailableError
from airnub_prefect_starter.core.database.url import is_sqlite, shown_url, sqlite_path
from airnub_prefect_starter.demo.data import DailyCount, Row, SampleTables

READER = "reader"
WAREHOUSE = "warehouse"
_PUBLISHED = "2014-01-01 00:00:00+00:00"
_TABLES: Mapping[str, str] = {
    "airlines": "carrier TEXT PRIMARY KEY, name TEXT NOT NULL, updated_at {moment} NOT NULL",
    "airports": (
        "faa TEXT PRIMARY KEY, name TEXT NOT NULL, lat DOUBLE PRECISION, lon DOUBLE PRECISION,"
        " alt INTEGER, tz INTEGER, dst TEXT, tzone TEXT, updated_at {moment} NOT NULL"
    ),
    "flights_daily": (
        "date DATE, origin TEXT, carrier TEXT, flights INTEGER NOT NULL,"
        " cancelled INTEGER NOT NULL, dep_delay_min INTEGER NOT NULL,"
        " arr_delay_min INTEGER NOT NULL, distance_miles INTEGER NOT NULL,"
        " updated_at {moment} NOT NULL, PRIMARY KEY (date, origin, carrier)"
    ),
}


def fill_database(url: str, tables: SampleTables) -> None:
    """Make the tables and their rows, unless they are there.

    Args:
        url: ``sqlite:////FILE``, or a PostgreSQL's as a user who may make tables and users.
        tables: Where the rows come from.

    Raises:
        SourceUnavailableError: The database cannot be reached or written. A retry may help.
    """
    try:
        if is_sqlite(url):
            _fill_file(Path(sqlite_path(url)), tables)
        else:
            _fill_server(url, tables)
    except (SQLAlchemyError, OSError) as error:
        raise SourceUnavailableError(
            f"The sample database {shown_url(url)} cannot be filled: {error}",
            "Check that it can be reached and written",
        ) from error


def _fill_file(path: Path, tables: SampleTables) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: a start that is killed begins anew.
    temp = path.with_name(f".{path.name}.part")
    temp.unlink(missing_ok=True)
    address = sa.URL.create("sqlite", database=str(temp))
    with sa.create_engine(address, poolclass=NullPool).begin() as connection:
        _fill(connection, tables, "TIMESTAMP")
    temp.replace(path)


def _fill_server(url: str, tables: SampleTables) -> None:
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    with sa.create_engine(address, poolclass=NullPool).begin() as connection:
        if sa.inspect(connection).has_table("flights_daily"):
            return
        _fill(connection, tables, "TIMESTAMP WITH TIME ZONE")
        connection.exec_driver_sql(f"CREATE ROLE {READER} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
        _make_warehouse(connection)


def _make_warehouse(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"CREATE ROLE {WAREHOUSE} LOGIN")
    connection.exec_driver_sql(f"CREATE SCHEMA {WAREHOUSE} AUTHORIZATION {WAREHOUSE}")
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {WAREHOUSE} TO {READER}")
    connection.exec_driver_sql(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {WAREHOUSE} IN SCHEMA {WAREHOUSE}"
        f" GRANT SELECT ON TABLES TO {READER}"
    )


def _fill(connection: sa.Connection, tables: SampleTables, moment: str) -> None:
    for name, columns in _TABLES.items():
        connection.exec_driver_sql(f"CREATE TABLE {name} ({columns.format(moment=moment)})")
    for name in ("airlines", "airports"):
        rows = ({**row, "updated_at": _PUBLISHED} for row in tables.rows(name))
        _insert(connection, name, rows)
    _insert(connection, "flights_daily", map(_counted, tables.daily_counts()))


def _insert(connection: sa.Connection, table: str, rows: Iterable[Row]) -> None:
    given: list[dict[str, Any]] = [dict(row) for row in rows]
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in given[0]]
    connection.execute(sa.insert(sa.table(table, *columns)), given)


def _counted(count: DailyCount) -> Row:
    """Give a day's row; it was counted in the night after."""
    counted = date.fromisoformat(count.date) + timedelta(days=1)
    return {**asdict(count), "updated_at": f"{counted} 00:00:00+00:00"}
