"""Configuration of the category."""

from airnub_prefect_starter.core.churn.features import ChurnFeatureStep
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("transformation").category("feature_store", "build_features")


class FeatureStoreConfig(ChurnFeatureStep):
    """The table of features, and what each of them is."""
