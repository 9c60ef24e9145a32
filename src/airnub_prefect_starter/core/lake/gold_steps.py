"""Which gold tables to make, as configuration; making them is in `gold.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from airnub_prefect_starter.core.lake.table_step import TableStep
from airnub_prefect_starter.core.manifest_models import RefText

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


def check_select(sql: str) -> str:
    """Return SQL that only reads.

    Raises:
        ValueError: It begins with something else, such as COPY, which writes files.
    """
    first = sql.split(maxsplit=1)[:1]
    if not first or first[0].upper() not in {"SELECT", "WITH"}:
        raise ValueError("must begin with SELECT or WITH")
    return sql


class GoldStep(TableStep):
    """One gold table: an aggregate of silver tables, by SQL.

    Equal rows must give equal results: a sum of floats depends on the order in which they come, so
    sum integers.
    """

    name: _Name = Field(description="Name of the table: gold/<name>")
    tables: Mapping[_Name, RefText] = Field(
        min_length=1, description="Name of a table in the SQL to the ref of its snapshot"
    )
    sql: Annotated[str, AfterValidator(check_select)] = Field(
        description="A query as DataFusion understands it"
    )
    key: tuple[str, ...] = Field(
        min_length=1, description="Columns of the result that make a row unique"
    )
    description: str = ""

    @property
    def source_id(self) -> str:
        """Name of the ref of its snapshot."""
        return f"gold.{self.name}"

    @property
    def table(self) -> str:
        """Name of the Delta table."""
        return f"gold/{self.name}"
