"""Configuration of the monitoring stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake.monitoring.data_quality.config import DataQualityConfig
from flows.dept_data_lake.monitoring.flow_health.config import FlowHealthConfig


class MonitoringConfig(ConfigModel):
    """What to watch, and who hears of it."""

    data_quality: DataQualityConfig
    flow_health: FlowHealthConfig
