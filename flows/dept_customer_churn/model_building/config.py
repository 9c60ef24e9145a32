"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.model_building.training.config import TrainingConfig


class ModelBuildingConfig(ConfigModel):
    """What the stage works on."""

    training: TrainingConfig
