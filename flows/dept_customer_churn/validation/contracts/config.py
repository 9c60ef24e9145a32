"""Configuration of the category."""

from airnub_prefect_starter.core.churn.steps import ValidationStep
from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("validation").category("contracts", "validate_sources")


class ContractsConfig(ConfigModel):
    """Which sources to check."""

    validation: ValidationStep
