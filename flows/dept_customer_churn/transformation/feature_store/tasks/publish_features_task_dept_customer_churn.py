"""Task: the registry of features and their reference profile, as an artifact."""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.core.feature_store.shown import registry_markdown
from airnub_prefect_starter.core.feature_store.step import read_registry
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.transformation.feature_store.config import CATEGORY


@task(name="Publish Features (Customer Churn)")
def publish_features_task_dept_customer_churn(result: DerivedResult) -> None:
    """Publish what each feature is and which values it has."""
    registry, profile = read_registry(department_store(CATEGORY.department), result)
    create_markdown_artifact(
        key=artifact_key(CATEGORY.deployment, result.source_id),
        markdown=registry_markdown(registry, profile),
        description=f"Features of {CATEGORY.flow_name}",
    )
