"""Task: who left, by segment, as an artifact."""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.core.churn.preparation import read_prepared, segments_markdown
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.preparation.clean_and_merge.config import CATEGORY


@task(name="Publish Segments (Customer Churn)")
def publish_segments_task_dept_customer_churn(
    result: DerivedResult, segments: tuple[str, ...]
) -> None:
    """Publish how many customers left, by each column that is asked for."""
    table = read_prepared(department_store(CATEGORY.department), result)
    create_markdown_artifact(
        key=artifact_key(CATEGORY.deployment, "segments"),
        markdown=segments_markdown(CATEGORY.flow_name, table, segments),
        description=f"Churn by segment of {CATEGORY.flow_name}",
    )
