"""Task: what is right and wrong with the sources, written down."""

from prefect import task

from airnub_prefect_starter.core.churn.steps import ValidationStep
from airnub_prefect_starter.core.churn.validation import core_check_sources
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.validation.contracts.config import CATEGORY


@task(name="Check Sources (Customer Churn)", **RETRY)
def check_sources_task_dept_customer_churn(step: ValidationStep) -> DerivedResult:
    """Check every source alone and all against each other."""
    return core_check_sources(
        department_store(CATEGORY.department), step, namespace=CATEGORY.namespace, run=run_info()
    )
