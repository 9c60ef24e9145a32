"""Task: one gold table from silver ones."""

from prefect import task

from airnub_prefect_starter.core.lake.gold import core_make_gold
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY


@task(name="Make Gold Table (Data Lake)", **RETRY)
def make_gold_task_dept_data_lake(step: GoldStep) -> DerivedResult:
    """Compute the table by SQL of the silver tables as their snapshots say they are."""
    with one_writer(CATEGORY.department, step.table):
        return core_make_gold(
            department_store(CATEGORY.department),
            step,
            namespace=CATEGORY.namespace,
            run=run_info(),
        )
