"""Task: one table from stored bytes."""

from prefect import task

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.data_cleaning import core_process_and_store
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.steps import ProcessingStep
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info


@task(name="Process Table (Project Alpha)", **RETRY)
def process_table_task_dept_project_alpha(
    step: ProcessingStep, category: Category
) -> DerivedResult:
    """Read the step's inputs, verified, and keep the table as Parquet with its lineage."""
    return core_process_and_store(
        department_store(category.department), step, namespace=category.namespace, run=run_info()
    )
