"""Configuration of the measurements of runs."""

from airnub_prefect_starter.core.monitoring.flow_config import FlowHealthChecks
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("monitoring").category("flow_health", "measure_flow_health")


class FlowHealthConfig(FlowHealthChecks):
    """What to expect of runs, and which figures of the business to show."""
