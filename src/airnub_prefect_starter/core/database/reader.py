"""Reading one table: its columns, then its rows in order, a chunk at a time."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import NoSuchTableError

from airnub_prefect_starter.common.errors import PayloadError, SourceRejectedError
from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.core.database.connection import Snapshot, snapshot
from airnub_prefect_starter.core.database.errors import translated
from airnub_prefect_starter.core.database.query import TableQuery
from airnub_prefect_starter.core.database.rows import Row, RowWriter
from airnub_prefect_starter.core.database.sql_types import GROWING, kind_of
from airnub_prefect_starter.core.manifest_models import TableColumn
from airnub_prefect_starter.core.sources import DatabaseSource


@dataclass(frozen=True)
class OpenTable:
    """A table in one snapshot of its database."""

    source: DatabaseSource
    columns: tuple[TableColumn, ...]
    query: TableQuery
    view: Snapshot

    def chunks(self, since: str | None = None) -> Generator[list[Row], None, None]:
        """Read all rows in order, or those from a watermark on, it included.

        Raises:
            PayloadError: A value cannot be written, or one of the order is missing. No retry.
            SourceError: As for `open_table`.
        """
        write = RowWriter(self.source, self.columns).row
        options = {"yield_per": self.source.chunk_rows}
        with translated(self.source):
            self.view.restart_clock()
            with self.view.connection.execute(
                self.query.statement(since), execution_options=options
            ) as found:
                for chunk in found.partitions():
                    yield list(map(write, chunk))
                    self.view.restart_clock()


@contextmanager
def open_table(source: DatabaseSource, password: SecretStr | None) -> Iterator[OpenTable]:
    """Connect, and find out what columns the table has.

    Raises:
        SourceUnavailableError: The database cannot be reached. A retry may help.
        TooSlowError: It takes too long. A retry may help.
        SourceRejectedError: It refuses, or has no such table or column. No retry.
        PayloadError: The table cannot be written, or ordered, as the source says. No retry.
    """
    with translated(source), snapshot(source, password) as view:
        reflected = _wanted(source, _reflect(source, view.connection))
        columns = {_described(source, each, view): each["type"] for each in reflected}
        _check_watermark(source, columns)
        query = TableQuery(source, columns, is_sqlite=view.is_sqlite)
        yield OpenTable(source, tuple(columns), query, view)


def _reflect(source: DatabaseSource, connection: sa.Connection) -> list[ReflectedColumn]:
    inspector = sa.inspect(connection)
    try:
        return inspector.get_columns(source.table, source.db_schema)
    except NoSuchTableError:
        known = [
            *inspector.get_table_names(source.db_schema),
            *inspector.get_view_names(source.db_schema),
        ]
        raise _no_such(source, "table", source.full_name, source.table, known) from None


def _wanted(source: DatabaseSource, found: list[ReflectedColumn]) -> list[ReflectedColumn]:
    names = [each["name"] for each in found]
    for name in (*source.order, *(source.columns or ())):
        if name not in names:
            raise _no_such(source, "column", f"{source.full_name}.{name}", name, names)
    return [each for each in found if source.columns is None or each["name"] in source.columns]


def _no_such(
    source: DatabaseSource, what: str, shown: str, name: str, known: Collection[str]
) -> SourceRejectedError:
    hint = nearest(name, known)
    listed = ", ".join(sorted(known)[:20]) or "none"
    return SourceRejectedError(
        f"{source.source_id}: the database has no {what} {shown}",
        f"Did you mean {hint}?" if hint else f"It has: {listed}",
    )


def _described(source: DatabaseSource, column: ReflectedColumn, view: Snapshot) -> TableColumn:
    kind = kind_of(column["type"], untyped=view.is_sqlite)
    if kind is None or (kind == "json" and column["name"] in source.order):
        does = "cannot be written as JSON" if kind is None else "cannot order rows"
        raise PayloadError(
            f"{source.full_name}.{column['name']}: a column of type {column['type']!r} {does}",
            "Leave it out with `columns`, or read a view that casts it",
        )
    return TableColumn(name=column["name"], kind=kind, nullable=bool(column["nullable"]))


def _check_watermark(source: DatabaseSource, columns: Collection[TableColumn]) -> None:
    for column in columns:
        if column.name == source.watermark and column.kind not in GROWING:
            raise PayloadError(
                f"{source.full_name}.{column.name} is {column.kind}, which is no watermark",
                f"Name a column of one of these kinds: {', '.join(sorted(GROWING))}",
            )
