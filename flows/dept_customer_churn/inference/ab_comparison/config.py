"""Configuration of the category."""

from airnub_prefect_starter.core.ml.inference_steps import ComparisonStep
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("inference").category("ab_comparison", "compare_models")


class AbComparisonConfig(ComparisonStep):
    """Which model's champion and challenger to compare, and how ids are split among them."""
