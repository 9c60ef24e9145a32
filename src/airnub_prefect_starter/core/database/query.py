"""The one statement that reads a table: SQLAlchemy quotes every name and binds every value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import TypeEngine

from airnub_prefect_starter.core.database.sql_types import NUMBERS
from airnub_prefect_starter.core.manifest_models import TableColumn
from airnub_prefect_starter.core.sources import DatabaseSource

Columns = Mapping[TableColumn, TypeEngine[Any]]


class TableQuery:
    """How rows of one table are selected and ordered; values come as the driver gives them.

    Args:
        source: Which table.
        columns: What to read, with their types in the database.
        is_sqlite: Whether the database is SQLite.
    """

    def __init__(self, source: DatabaseSource, columns: Columns, *, is_sqlite: bool) -> None:
        self._source = source
        self._columns = {each.name: (each, declared) for each, declared in columns.items()}
        self._is_sqlite = is_sqlite

    def statement(self, since: str | None) -> sa.Select[Any]:
        """Select all rows in order, or those from a watermark on, it included."""
        table = sa.table(_quoted(self._source.table), schema=self._schema())
        order = [self._ordered(name) for name in self._source.order]
        rows = sa.select(*map(self._selected, self._columns)).select_from(table).order_by(*order)
        watermark = self._source.watermark
        if since is None or watermark is None:
            return rows
        # A row without a watermark would never be read; so it is looked for, and then refused.
        none = _column(watermark).is_(None)
        return rows.where(sa.or_(self._ordered(watermark) >= self._bound(watermark, since), none))

    def _schema(self) -> sa.quoted_name | None:
        return _quoted(self._source.db_schema) if self._source.db_schema else None

    def _selected(self, name: str) -> sa.ColumnElement[Any]:
        column, _ = self._columns[name]
        if column.kind == "json" and not self._is_sqlite:
            # As text, since the driver would read its numbers as doubles.
            return sa.cast(_column(name), sa.Text).label(name)
        return _column(name)

    def _ordered(self, name: str) -> sa.ColumnElement[Any]:
        """Give a column as it is compared: text byte by byte, whatever the database's language."""
        column, declared = self._columns[name]
        if self._is_sqlite:
            return sa.collate(_column(name), "BINARY")
        if column.kind != "text":
            return _column(name)
        own_order = isinstance(declared, sa.Enum | CITEXT)
        return sa.collate(sa.cast(_column(name), sa.Text) if own_order else _column(name), "C")

    def _bound(self, name: str, text: str) -> sa.ColumnElement[Any]:
        """Give the text of a watermark as a value of its column."""
        column, declared = self._columns[name]
        value = sa.literal(text, sa.Text)
        if not self._is_sqlite:
            # Text needs no cast, and would get the column's own collation with it.
            return value if column.kind == "text" else sa.cast(value, declared)
        if column.kind not in NUMBERS:
            return value
        whole = text.lstrip("-").isdigit()
        return sa.literal(int(text), sa.BigInteger) if whole else sa.literal(float(text), sa.Double)


def _quoted(name: str) -> sa.quoted_name:
    return sa.quoted_name(name, quote=True)


def _column(name: str) -> sa.ColumnClause[Any]:
    return sa.column(_quoted(name))
