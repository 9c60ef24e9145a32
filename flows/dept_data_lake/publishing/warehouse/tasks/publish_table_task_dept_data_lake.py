"""Task: one gold table into the warehouse."""

from prefect import task

from airnub_prefect_starter.core.lake.publish import core_publish_table
from airnub_prefect_starter.core.lake.warehouse import Publication
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info, source_secret
from flows.dept_data_lake.publishing.warehouse.config import CATEGORY


@task(name="Publish Table (Data Lake)", **RETRY)
def publish_table_task_dept_data_lake(table: PublishedTable, warehouse: Warehouse) -> Publication:
    """Replace the table's rows by those of the gold table, unless it has them."""
    return core_publish_table(
        department_store(CATEGORY.department),
        table,
        warehouse,
        password=source_secret(CATEGORY.department, warehouse),
        run=run_info(),
    )
