"""What the lake's steps are made of: configuration models only."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.table_step import TableStep, Writers
from airnub_prefect_starter.core.manifest_models import RefText
from airnub_prefect_starter.core.table_schema import TableSchema

BATCH, BLOB, ROW = "_batch", "_blob", "_row"

TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ReaderName = Literal["csv", "json_lines", "parquet"]
Severity = Literal["warning", "error"]


class _LakeStep(TableStep):
    name: TableName = Field(description="Name of the table in its layer")
    writers: Writers = Field(
        default="single",
        description="How many runs may write the table at once; many needs conditional puts",
    )


class BronzeStep(_LakeStep):
    """Rows as they were received, a batch per source: from which refs, and how they are read."""

    inputs: tuple[RefText, ...] = Field(
        min_length=1, description="Refs to read, as NAMESPACE/SOURCE_ID; each is a batch"
    )
    reader: ReaderName = "csv"

    @model_validator(mode="after")
    def _batches_have_names(self) -> Self:
        names = Counter(text.rpartition("/")[2] for text in self.inputs)
        if twice := sorted(name for name, count in names.items() if count > 1):
            raise ValueError(f"two inputs have the source id {', '.join(twice)}")
        return self

    @property
    def source_id(self) -> str:
        """Name of the step's ref."""
        return f"bronze.{self.name}"

    @property
    def table(self) -> str:
        """The table that it writes."""
        return f"bronze/{self.name}"


class ForeignKey(ConfigModel):
    """Columns whose values must stand in another silver table."""

    columns: tuple[str, ...] = Field(min_length=1)
    table: TableName = Field(description="The silver table that is referred to")
    references: tuple[str, ...] = Field(min_length=1, description="Its columns, in this order")
    severity: Severity = Field(
        default="warning", description="warning counts such rows, error rejects them"
    )

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.columns) != len(self.references):
            raise ValueError("columns and references differ in number")
        return self

    @property
    def rule(self) -> str:
        """The rule's name in counts and in quarantine."""
        return f"{', '.join(self.columns)} in {self.table}"

    @property
    def missing_rule(self) -> str:
        """The name in counts of rows that refer to nothing, which is allowed."""
        return f"{', '.join(self.columns)} missing"


class SilverStep(_LakeStep):
    """Typed rows, unique by key: what the rows of the bronze table of this name must be."""

    contract: TableSchema
    foreign_keys: tuple[ForeignKey, ...] = ()
    max_rejected_percent: int = Field(
        default=5, ge=0, le=100, description="A batch with more rejected rows than this fails"
    )

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        known = set(self.contract.names)
        if taken := sorted(known & {BATCH, BLOB, ROW}):
            raise ValueError(f"{', '.join(taken)} are columns of our own")
        if self.contract.partition_by:
            raise ValueError("partition_by does not apply: a silver table is split by batch")
        for each in self.foreign_keys:
            if unknown := sorted(set(each.columns) - known):
                raise ValueError(f"foreign key {each.rule}: no column {', '.join(unknown)}")
            if each.table == self.name:
                raise ValueError(f"foreign key {each.rule}: it refers to its own table")
        return self

    @property
    def source_id(self) -> str:
        """Name of the step's ref."""
        return f"silver.{self.name}"

    @property
    def table(self) -> str:
        """The table that it writes."""
        return f"silver/{self.name}"

    @property
    def quarantine(self) -> str:
        """The table of the rows that it rejects."""
        return f"quarantine/{self.name}"
