"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.ingestion.customer_data.config import CustomerDataConfig


class IngestionConfig(ConfigModel):
    """What the stage works on."""

    customer_data: CustomerDataConfig
