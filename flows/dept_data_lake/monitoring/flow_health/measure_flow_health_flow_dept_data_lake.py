"""Category flow: how the department's runs fare, and its business figures."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.monitoring import publish_flows
from flows.dept_data_lake.monitoring.flow_health.config import CATEGORY, FlowHealthConfig
from flows.dept_data_lake.monitoring.flow_health.tasks.measure_runs_task_dept_data_lake import (
    measure_runs_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def measure_flow_health_flow_dept_data_lake(
    config: FlowHealthConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Measure runs of the last days and compare the newest with those before them."""
    config = category_config(CATEGORY, FlowHealthConfig, config, date)
    return publish_flows(CATEGORY, measure_runs_task_dept_data_lake(config))
