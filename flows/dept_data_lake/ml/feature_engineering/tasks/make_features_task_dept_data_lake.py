"""Task: articles to a table of features."""

from prefect import task

from airnub_prefect_starter.core.features.step import core_make_features
from airnub_prefect_starter.core.features.steps import FeatureStep
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_data_lake.ml.feature_engineering.config import CATEGORY


@task(name="Make Features (Data Lake)", **RETRY)
def make_features_task_dept_data_lake(step: FeatureStep) -> DerivedResult:
    """Make what changed; the table is replaced in one commit, its encoders are kept as JSON."""
    with one_writer(CATEGORY.department, step.table):
        return core_make_features(
            department_store(CATEGORY.department),
            step,
            namespace=CATEGORY.namespace,
            run=run_info(),
        )
