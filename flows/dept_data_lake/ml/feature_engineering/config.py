"""Configuration of the category."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.features.steps import FeatureStep
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ml").category("feature_engineering", "engineer_features")


class FeatureEngineeringConfig(ConfigModel):
    """Which tables of features to make."""

    features: tuple[FeatureStep, ...] = Field(min_length=1)
