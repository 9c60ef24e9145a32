"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.inference.ab_comparison.config import AbComparisonConfig
from flows.dept_customer_churn.inference.batch_scoring.config import BatchScoringConfig
from flows.dept_customer_churn.inference.drift.config import DriftConfig


class InferenceConfig(ConfigModel):
    """What the stage works on."""

    batch_scoring: BatchScoringConfig
    ab_comparison: AbComparisonConfig
    drift: DriftConfig
