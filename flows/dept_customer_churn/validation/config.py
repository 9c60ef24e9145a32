"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.validation.contracts.config import ContractsConfig


class ValidationConfig(ConfigModel):
    """What the stage works on."""

    contracts: ContractsConfig
