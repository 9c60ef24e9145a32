"""Task: one table in shape."""

from prefect import task

from airnub_prefect_starter.core.lake.maintenance import Maintained, core_maintain_table
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import no_writer
from flows.dept_data_lake.maintenance.table_maintenance.config import CATEGORY


@task(name="Maintain Table (Data Lake)", **RETRY)
def maintain_table_task_dept_data_lake(table: str, upkeep: Upkeep) -> Maintained:
    """Join small files and remove what no version that must stay needs, while nobody writes."""
    with no_writer(CATEGORY.department, table):
        return core_maintain_table(
            department_store(CATEGORY.department), table, upkeep, run=run_info()
        )
