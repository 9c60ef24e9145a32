"""Configuration of the category."""

from airnub_prefect_starter.core.churn.steps import PreparationStep
from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("preparation").category("clean_and_merge", "prepare_customers")


class CleanAndMergeConfig(ConfigModel):
    """What to merge, and by which columns to show who left."""

    preparation: PreparationStep
    segments: tuple[str, ...] = ()
