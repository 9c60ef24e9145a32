"""What a table is: its columns, their types and limits, as a category's YAML states them.

Only models: every start of `airnub` reads configurations, and none needs what reads tables
(`tables.py`, `readers.py`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel

ColumnType = Literal["string", "int", "float", "bool", "date", "timestamp"]
ReaderName = Literal["csv", "json_lines", "html_table", "parquet"]


class Column(ConfigModel):
    """One column: its type and what its values may be."""

    name: str = Field(min_length=1)
    dtype: ColumnType
    nullable: bool = Field(default=False, description="May a value be missing")
    minimum: Decimal | None = Field(default=None, description="Least value, of int and float")
    maximum: Decimal | None = Field(default=None, description="Greatest value, of int and float")
    allowed: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="The only values, of string"
    )

    @model_validator(mode="after")
    def _limits_fit_type(self) -> Self:
        ranged = self.minimum is not None or self.maximum is not None
        if ranged and self.dtype not in ("int", "float"):
            raise ValueError(f"minimum and maximum do not apply to {self.dtype}")
        if self.allowed is not None and self.dtype != "string":
            raise ValueError(f"allowed does not apply to {self.dtype}")
        return self


class TableSchema(ConfigModel):
    """A table: its columns, what makes a row unique, and how it is split into files."""

    columns: tuple[Column, ...] = Field(min_length=1)
    key: tuple[str, ...] = Field(min_length=1, description="Columns that make a row unique")
    partition_by: tuple[str, ...] = Field(
        default=(), description="Columns to split by; of a date or timestamp, its month"
    )
    na_values: tuple[str, ...] = Field(
        default=("", "NA"), description="Texts that mean a missing value"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        by_name = {column.name: column for column in self.columns}
        if len(by_name) != len(self.columns):
            raise ValueError("two columns have the same name")
        for name in (*self.key, *self.partition_by):
            if name not in by_name:
                raise ValueError(f"{name!r} of key or partition_by is not a column")
            if by_name[name].nullable:
                raise ValueError(f"{name!r} of key or partition_by must not be nullable")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def without(self, name: str | None) -> TableSchema:
        """Give what a reader is to look for: this table less a column that is added later.

        The key still names the column, so what this gives is for reading only.
        """
        kept = tuple(column for column in self.columns if column.name != name)
        return self.model_copy(update={"columns": kept})
