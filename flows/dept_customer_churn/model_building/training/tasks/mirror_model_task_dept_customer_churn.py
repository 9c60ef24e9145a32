"""Task: a registered version in MLflow."""

from prefect import task

from airnub_prefect_starter.core.ml.mlflow_mirror import Mirrored, core_mirror_version
from airnub_prefect_starter.core.ml.promotion import Promotion
from airnub_prefect_starter.tasks.models import tracking_uri
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.model_building.training.config import CATEGORY


@task(name="Mirror Model (Customer Churn)", **RETRY)
def mirror_model_task_dept_customer_churn(promotion: Promotion) -> Mirrored:
    """Mirror the version where a tracking server is named; an outage is said and fails nothing."""
    return core_mirror_version(
        department_store(CATEGORY.department),
        promotion.version,
        tracking_uri(),
        source_id=promotion.source_id,
    )
