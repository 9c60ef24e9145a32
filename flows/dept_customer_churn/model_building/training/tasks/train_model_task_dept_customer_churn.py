"""Task: candidates trained and judged."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.step import core_train_model
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.model_building.training.config import CATEGORY


@task(name="Train Model (Customer Churn)", **RETRY)
def train_model_task_dept_customer_churn(spec: ModelSpec) -> DerivedResult:
    """Train every candidate if features, options or code changed, and store what is known."""
    return core_train_model(
        department_store(CATEGORY.department), spec, namespace=CATEGORY.namespace, run=run_info()
    )
