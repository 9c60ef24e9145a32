"""Task: one typed table of all customers."""

from prefect import task

from airnub_prefect_starter.core.churn.preparation import core_prepare_customers
from airnub_prefect_starter.core.churn.steps import PreparationStep
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.preparation.clean_and_merge.config import CATEGORY


@task(name="Prepare Customers (Customer Churn)", **RETRY)
def prepare_customers_task_dept_customer_churn(step: PreparationStep) -> DerivedResult:
    """Merge the accepted sources, unless the table is made of them already."""
    return core_prepare_customers(
        department_store(CATEGORY.department), step, namespace=CATEGORY.namespace, run=run_info()
    )
