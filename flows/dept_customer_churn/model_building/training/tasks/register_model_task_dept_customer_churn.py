"""Task: the best candidate as a version of its model."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.promotion import Promotion, core_register_model
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.model_building.training.config import CATEGORY


@task(name="Register Model (Customer Churn)", **RETRY)
def register_model_task_dept_customer_churn(trained: DerivedResult) -> Promotion:
    """Register what passes its gates; a retry after a conflict compares with the new champion."""
    return core_register_model(department_store(CATEGORY.department), trained, run=run_info())
