"""Category flow: What the APIs say of airports and airlines, as Parquet."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_project_alpha.processing.reference_data.config import CATEGORY, ReferenceDataConfig
from flows.dept_project_alpha.processing.tasks.process_table_task_dept_project_alpha import (
    process_table_task_dept_project_alpha,
)


@flow(name=CATEGORY.flow_name)
def process_reference_data_flow_dept_project_alpha(
    config: ReferenceDataConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Make every table whose inputs, schema or code changed; each row is accounted for."""
    config = category_config(CATEGORY, ReferenceDataConfig, config, date)
    process = process_table_task_dept_project_alpha
    outcomes = fan_out(process, config.tables, name=source_id, category=CATEGORY)
    publish_derived(CATEGORY, outcomes)
    return outcomes.require_all()
