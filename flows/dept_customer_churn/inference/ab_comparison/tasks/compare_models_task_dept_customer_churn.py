"""Task: champion against challenger."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.comparison_step import core_compare_models
from airnub_prefect_starter.core.ml.inference_steps import ComparisonStep
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.inference.ab_comparison.config import CATEGORY


@task(name="Compare Models (Customer Churn)", **RETRY)
def compare_models_task_dept_customer_churn(step: ComparisonStep) -> DerivedResult:
    """Compare them on rows that neither was trained on, if a model or the rows changed."""
    return core_compare_models(
        department_store(CATEGORY.department),
        step,
        namespace=CATEGORY.namespace,
        run=run_info(),
    )
