"""Category flow: bronze, silver and gold tables of what was ingested."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.lake.order import gold_needs, silver_needs, silver_waves
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from airnub_prefect_starter.tasks.lake_artifacts import publish_tables
from airnub_prefect_starter.tasks.needs import fan_out_after
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY, LakeEtlConfig
from flows.dept_data_lake.processing.lake_etl.tasks.load_bronze_task_dept_data_lake import (
    load_bronze_task_dept_data_lake,
)
from flows.dept_data_lake.processing.lake_etl.tasks.make_gold_task_dept_data_lake import (
    make_gold_task_dept_data_lake,
)
from flows.dept_data_lake.processing.lake_etl.tasks.refine_silver_task_dept_data_lake import (
    refine_silver_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def refine_lake_flow_dept_data_lake(
    config: LakeEtlConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Bring every table to what it is made of now; what needs a table that failed is not run."""
    config = category_config(CATEGORY, LakeEtlConfig, config, date)
    done = fan_out(load_bronze_task_dept_data_lake, config.bronze, name=source_id)
    for wave in silver_waves(config.silver):
        done = fan_out_after(done, refine_silver_task_dept_data_lake, wave, needs=silver_needs)
    done = fan_out_after(done, make_gold_task_dept_data_lake, config.gold, needs=gold_needs)
    publish_derived(CATEGORY, done)
    publish_tables(CATEGORY, done.found)
    return done.require_all()
