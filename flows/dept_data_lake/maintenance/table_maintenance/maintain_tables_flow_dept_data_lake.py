"""Category flow: every table in shape."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.lake.maintenance import Maintained
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out
from airnub_prefect_starter.tasks.lake_publishing import publish_maintenance
from flows.dept_data_lake.maintenance.table_maintenance.config import (
    CATEGORY,
    TableMaintenanceConfig,
)
from flows.dept_data_lake.maintenance.table_maintenance.tasks.list_tables_task_dept_data_lake import (  # noqa: E501
    list_tables_task_dept_data_lake,
)
from flows.dept_data_lake.maintenance.table_maintenance.tasks.maintain_table_task_dept_data_lake import (  # noqa: E501
    maintain_table_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def maintain_tables_flow_dept_data_lake(
    config: TableMaintenanceConfig | None = None, date: dt.date | None = None
) -> list[Maintained]:
    """Maintain every table, and show files and sizes before and after."""
    config = category_config(CATEGORY, TableMaintenanceConfig, config, date)
    tables = config.tables or list_tables_task_dept_data_lake()
    task = maintain_table_task_dept_data_lake
    outcomes = fan_out(task, tables, name=str, upkeep=config.upkeep)
    publish_maintenance(CATEGORY, outcomes)
    return outcomes.require_all()
