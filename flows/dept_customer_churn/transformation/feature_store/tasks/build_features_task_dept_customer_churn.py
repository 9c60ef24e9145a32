"""Task: prepared customers to a table of features."""

from prefect import task

from airnub_prefect_starter.core.churn.feature_step import core_build_churn_features
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_customer_churn.transformation.feature_store.config import (
    CATEGORY,
    FeatureStoreConfig,
)


@task(name="Build Features (Customer Churn)", **RETRY)
def build_features_task_dept_customer_churn(step: FeatureStoreConfig) -> DerivedResult:
    """Merge the features of every customer into their table, in one commit."""
    with one_writer(CATEGORY.department, step.table):
        return core_build_churn_features(
            department_store(CATEGORY.department),
            step,
            namespace=CATEGORY.namespace,
            run=run_info(),
        )
