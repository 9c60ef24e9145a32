"""Configuration of the category."""

from airnub_prefect_starter.core.churn.features import ChurnFeatures
from airnub_prefect_starter.core.feature_store.config import FeatureStoreStep
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("transformation").category("feature_store", "build_features")


class FeatureStoreConfig(FeatureStoreStep):
    """The table of features, with the thresholds of the five that are computed."""

    engineered: ChurnFeatures = ChurnFeatures()
