"""Task: one bronze table from stored bytes."""

from prefect import task

from airnub_prefect_starter.core.lake.bronze import core_load_bronze
from airnub_prefect_starter.core.lake.steps import BronzeStep
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY


@task(name="Load Bronze Table (Data Lake)", **RETRY)
def load_bronze_task_dept_data_lake(step: BronzeStep) -> DerivedResult:
    """Write the batches that are new or differ, as they were received."""
    with one_writer(CATEGORY.department, step.table, step.writers):
        return core_load_bronze(
            department_store(CATEGORY.department),
            step,
            namespace=CATEGORY.namespace,
            run=run_info(),
        )
