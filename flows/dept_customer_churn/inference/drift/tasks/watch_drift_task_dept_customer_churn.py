"""Task: the newest rows against those of training."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.drift_step import core_watch_drift
from airnub_prefect_starter.core.ml.inference_steps import DriftStep
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.inference.drift.config import CATEGORY


@task(name="Watch Drift (Customer Churn)", **RETRY)
def watch_drift_task_dept_customer_churn(step: DriftStep) -> DerivedResult:
    """Compare features and scores, if the rows or the champion changed."""
    return core_watch_drift(
        department_store(CATEGORY.department),
        step,
        namespace=CATEGORY.namespace,
        run=run_info(),
    )
