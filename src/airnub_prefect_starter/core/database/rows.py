"""Rows as lines: each with its place in the order, and refused if it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.database.sql_types import json_value
from airnub_prefect_starter.core.json_text import canonical_line
from airnub_prefect_starter.core.manifest_models import TableColumn
from airnub_prefect_starter.core.sources import DatabaseSource


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the values that it is ordered by, and its line."""

    place: tuple[Any, ...]
    line: bytes


def name_row(source: DatabaseSource, place: tuple[Any, ...]) -> str:
    """Say in a message which row is meant."""
    pairs = zip(source.order, place, strict=True)
    values = ", ".join(f"{name}={value}"[:80] for name, value in pairs)
    return f"{source.full_name}, row with {values}"


class RowWriter:
    """Writes the rows of one table.

    Args:
        source: Says what they are ordered by.
        columns: What a row's values are, in their order.
    """

    def __init__(self, source: DatabaseSource, columns: Sequence[TableColumn]) -> None:
        self._source = source
        self._fields = [(each.name, each.kind) for each in columns]
        names = [each.name for each in columns]
        self._order = [names.index(name) for name in source.order]

    def row(self, values: Sequence[Any]) -> Row:
        """Write one row.

        Raises:
            PayloadError: A value cannot be written, or one of the order is missing. No retry.
        """
        place = tuple(values[index] for index in self._order)
        if None in place:
            raise PayloadError(
                f"{name_row(self._source, place)}: a column of key or watermark is NULL",
                "Declare these columns NOT NULL, or read a view without such rows",
            )
        try:
            fields = zip(self._fields, values, strict=True)
            item = {name: json_value(value, kind) for (name, kind), value in fields}
            return Row(place, canonical_line(item, "it"))
        except PayloadError as error:
            raise PayloadError(
                f"{name_row(self._source, place)}: {error.message}",
                "Leave the column out with `columns`, or cast it in a view",
            ) from error
