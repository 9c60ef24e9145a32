"""Configuration of the checks of data, and of the stage's alerts."""

from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig
from airnub_prefect_starter.core.monitoring.config import DataQualityChecks
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("monitoring").category("data_quality", "check_data_quality")


class DataQualityConfig(DataQualityChecks):
    """What must be true of the data, and who hears of what both categories find."""

    alerts: AlertsConfig = AlertsConfig()
