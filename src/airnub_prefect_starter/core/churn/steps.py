"""What the first steps of the churn department work on, as configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airnub_prefect_starter.core.churn.columns import SPLITS
from airnub_prefect_starter.core.churn.telco import PartName
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import RefText


class SplitStep(ConfigModel):
    """One part of the churn table, by columns."""

    source_id: PartName = Field(description="Which part; also what it is stored as")
    input: RefText = Field(description="Ref of the whole table")


class ValidationStep(ConfigModel):
    """The sources to check, each alone and against each other."""

    source_id: Literal["validated"] = "validated"
    parts: tuple[RefText, ...] = Field(
        description="Refs of customers, services and billing, which together are the table"
    )
    feeds: tuple[RefText, ...] = Field(
        default=(), description="Refs of whole tables of more customers"
    )
    drop_identical_sources: bool = Field(
        default=True, description="Leave out a feed whose rows are those of the table"
    )

    @model_validator(mode="after")
    def _every_part_once(self) -> Self:
        names = sorted(ref.partition("/")[2] for ref in self.parts)
        if names != sorted(SPLITS):
            raise ValueError(f"parts must be the refs of {', '.join(SPLITS)}, each once")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [ref.partition("/")[2] for ref in (*self.parts, *self.feeds)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources have the name {', '.join(repeated)}")
        return self


class PreparationStep(ConfigModel):
    """The table to make of what was validated."""

    source_id: Literal["prepared"] = "prepared"
    input: RefText = Field(description="Ref of what validation accepted")
