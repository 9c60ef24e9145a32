"""Configuration of the category."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import ApiSource
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category("public_api_data")


class PublicApiDataConfig(ConfigModel):
    """Which APIs to read."""

    apis: tuple[ApiSource, ...] = Field(min_length=1)
