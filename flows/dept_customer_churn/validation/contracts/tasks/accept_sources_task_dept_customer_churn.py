"""Task: sources that break no rule, for what follows."""

from prefect import task

from airnub_prefect_starter.core.churn.validation import core_accept_sources
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.validation.contracts.config import CATEGORY


@task(name="Accept Sources (Customer Churn)", **RETRY)
def accept_sources_task_dept_customer_churn(checked: DerivedResult) -> DerivedResult:
    """Accept what was checked, or fail with every rule that is broken."""
    return core_accept_sources(department_store(CATEGORY.department), checked, run=run_info())
