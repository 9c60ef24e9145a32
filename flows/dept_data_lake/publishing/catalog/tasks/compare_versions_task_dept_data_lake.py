"""Task: what the last change of a table did."""

from prefect import task

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.time_travel import Travel, core_compare_last_versions
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_data_lake.publishing.catalog.config import CATEGORY


@task(name="Compare Versions (Data Lake)", **RETRY)
def compare_versions_task_dept_data_lake(table: str) -> Travel:
    """Count the rows that are in one of the last two versions alone."""
    return core_compare_last_versions(Lake.of(department_store(CATEGORY.department)), table)
