"""Task: one silver table from its bronze one."""

from prefect import task

from airnub_prefect_starter.core.lake.silver import core_refine_silver
from airnub_prefect_starter.core.lake.steps import SilverStep
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY


@task(name="Refine Silver Table (Data Lake)", **RETRY)
def refine_silver_task_dept_data_lake(step: SilverStep) -> DerivedResult:
    """Merge the batches that are new or differ; rows that break the contract go to quarantine."""
    with one_writer(CATEGORY.department, step.table, step.writers):
        return core_refine_silver(
            department_store(CATEGORY.department),
            step,
            namespace=CATEGORY.namespace,
            run=run_info(),
        )
