"""Configuration: which tables the lake has, layer by layer."""

from typing import Self

from pydantic import Field, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.order import silver_waves
from airnub_prefect_starter.core.lake.steps import BronzeStep, SilverStep
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("processing").category("lake_etl", "refine_lake")


class LakeEtlConfig(ConfigModel):
    """Which tables to make: as received, typed and unique by key, and summarised."""

    bronze: tuple[BronzeStep, ...] = Field(min_length=1)
    silver: tuple[SilverStep, ...] = Field(min_length=1)
    gold: tuple[GoldStep, ...] = ()

    @model_validator(mode="after")
    def _tables_are_made(self) -> Self:
        received = {each.name for each in self.bronze}
        if unknown := sorted({each.name for each in self.silver} - received):
            raise ValueError(f"silver tables without a bronze one: {', '.join(unknown)}")
        silver_waves(self.silver)
        return self
