"""Task: which tables there are."""

from prefect import task

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_data_lake.maintenance.table_maintenance.config import CATEGORY


@task(name="List Tables (Data Lake)", **RETRY)
def list_tables_task_dept_data_lake() -> list[str]:
    """List every table of the lake."""
    return Lake.of(department_store(CATEGORY.department)).tables()
