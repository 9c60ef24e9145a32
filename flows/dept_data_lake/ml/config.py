"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake.ml.feature_engineering.config import FeatureEngineeringConfig


class MlConfig(ConfigModel):
    """What the stage works on."""

    feature_engineering: FeatureEngineeringConfig
