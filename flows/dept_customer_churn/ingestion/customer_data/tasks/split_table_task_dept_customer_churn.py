"""Task: some columns of the table as a source of their own."""

from prefect import task

from airnub_prefect_starter.core.churn.splits import core_split_table
from airnub_prefect_starter.core.churn.steps import SplitStep
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.ingestion.customer_data.config import CATEGORY


@task(name="Split Table (Customer Churn)", **RETRY)
def split_table_task_dept_customer_churn(step: SplitStep) -> DerivedResult:
    """Split what changed; values stay as they were received."""
    return core_split_table(
        department_store(CATEGORY.department), step, namespace=CATEGORY.namespace, run=run_info()
    )
