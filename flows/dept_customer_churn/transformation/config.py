"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.transformation.feature_store.config import FeatureStoreConfig


class TransformationConfig(ConfigModel):
    """What the stage works on."""

    feature_store: FeatureStoreConfig
