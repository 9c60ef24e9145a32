"""Configuration: What the APIs say about airports, planes and airlines."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.steps import ProcessingStep
from flows.dept_project_alpha import DEPARTMENT

CATEGORY = DEPARTMENT.stage("processing").category("reference_data")


class ReferenceDataConfig(ConfigModel):
    """Which tables to make of which stored bytes."""

    tables: tuple[ProcessingStep, ...] = Field(min_length=1)
