"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.preparation.clean_and_merge.config import CleanAndMergeConfig


class PreparationConfig(ConfigModel):
    """What the stage works on."""

    clean_and_merge: CleanAndMergeConfig
