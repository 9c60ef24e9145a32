"""Configuration of the category."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.ml.config import ModelSpec
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("model_building").category("training", "train_models")


class TrainingConfig(ConfigModel):
    """Which models to train."""

    models: tuple[ModelSpec, ...] = Field(min_length=1)
