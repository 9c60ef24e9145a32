"""Configuration of the category."""

from airnub_prefect_starter.core.ml.inference_steps import ScoringStep
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("inference").category("batch_scoring", "score_customers")


class BatchScoringConfig(ScoringStep):
    """Whose features to score by which model, and from which probabilities on segments begin."""
