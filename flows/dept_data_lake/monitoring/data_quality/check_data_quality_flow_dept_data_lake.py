"""Category flow: what is wrong with the lake's data."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.monitoring import publish_quality
from flows.dept_data_lake.monitoring.data_quality.config import CATEGORY, DataQualityConfig
from flows.dept_data_lake.monitoring.data_quality.tasks.check_data_task_dept_data_lake import (
    check_data_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def check_data_quality_flow_dept_data_lake(
    config: DataQualityConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Check tables, prefixes, sources and series; something critical fails the run."""
    config = category_config(CATEGORY, DataQualityConfig, config, date)
    return publish_quality(CATEGORY, check_data_task_dept_data_lake(config))
