"""Configuration of the category."""

from pydantic import Field

from airnub_prefect_starter.core.churn.steps import SplitStep
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import FileSource
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category("customer_data")


class CustomerDataConfig(ConfigModel):
    """Which files to download, and which parts to make of them."""

    files: tuple[FileSource, ...] = Field(min_length=1)
    splits: tuple[SplitStep, ...] = ()
