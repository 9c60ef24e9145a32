"""Configuration of the category, and of the stage's alerts."""

from airnub_prefect_starter.core.ml.inference_steps import DriftStep
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("inference").category("drift", "watch_drift")


class DriftConfig(DriftStep):
    """Which rows to compare with those of which model, and who hears of what has moved."""

    alerts: AlertsConfig = AlertsConfig()

    @property
    def step(self) -> DriftStep:
        """What is compared, without who hears of it: that changes no result."""
        return DriftStep.model_validate(self.model_dump(exclude={"alerts"}))
