"""Category flow: how far the newest customers are from those that the champion knows."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.drift import publish_drift
from flows.dept_customer_churn.inference.drift.config import CATEGORY, DriftConfig
from flows.dept_customer_churn.inference.drift.tasks.watch_drift_task_dept_customer_churn import (
    watch_drift_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def watch_drift_flow_dept_customer_churn(
    config: DriftConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Look for drift and show it; what is critical fails the run."""
    config = category_config(CATEGORY, DriftConfig, config, date)
    return publish_drift(CATEGORY, watch_drift_task_dept_customer_churn(config.step))
