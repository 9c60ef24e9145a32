"""Task: data sets under the next number."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.releases.release import core_release_datasets
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_customer_churn.versioning.dvc_release.config import CATEGORY, DvcReleaseConfig


@task(name="Release Datasets (Customer Churn)", **RETRY)
def release_datasets_task_dept_customer_churn(step: DvcReleaseConfig) -> DerivedResult:
    """Release what has other bytes than the last release."""
    return core_release_datasets(
        department_store(CATEGORY.department), step, namespace=CATEGORY.namespace, run=run_info()
    )
