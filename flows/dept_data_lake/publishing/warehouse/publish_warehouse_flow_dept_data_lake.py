"""Category flow: gold tables into PostgreSQL."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.lake.warehouse import Publication
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from airnub_prefect_starter.tasks.lake_publishing import no_warehouse, publish_warehouse
from flows.dept_data_lake.publishing.warehouse.config import CATEGORY, WarehouseConfig
from flows.dept_data_lake.publishing.warehouse.tasks.publish_table_task_dept_data_lake import (
    publish_table_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def publish_warehouse_flow_dept_data_lake(
    config: WarehouseConfig | None = None, date: dt.date | None = None
) -> list[Publication]:
    """Publish every gold table that changed; without a warehouse, complete and say so."""
    config = category_config(CATEGORY, WarehouseConfig, config, date)
    if not config.warehouse.is_configured:
        return no_warehouse(CATEGORY)
    task = publish_table_task_dept_data_lake
    outcomes = fan_out(task, config.tables, name=source_id, warehouse=config.warehouse)
    publish_warehouse(CATEGORY, config.warehouse, outcomes)
    return outcomes.require_all()
