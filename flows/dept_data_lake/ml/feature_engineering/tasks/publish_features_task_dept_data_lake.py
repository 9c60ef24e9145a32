"""Task: what a table of features holds, as an artifact."""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.common.identifiers import title
from airnub_prefect_starter.core.features.markdown import features_markdown
from airnub_prefect_starter.core.features.step import read_metadata
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_data_lake.ml.feature_engineering.config import CATEGORY


@task(name="Publish Features (Data Lake)")
def publish_features_task_dept_data_lake(result: DerivedResult) -> None:
    """Publish groups, features, the values they have, and plots."""
    found, drawn = read_metadata(department_store(CATEGORY.department), result)
    heading = title(result.source_id.replace("-", "_"))
    create_markdown_artifact(
        key=artifact_key(CATEGORY.deployment, result.source_id),
        markdown=features_markdown(heading, found, drawn),
        description=f"Features of {CATEGORY.flow_name}",
    )
