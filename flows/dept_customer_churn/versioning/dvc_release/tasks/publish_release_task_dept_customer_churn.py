"""Task: a release with its pointers and how to pull it, as an artifact."""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.releases.shown import read_release_page
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.versioning.dvc_release.config import CATEGORY


@task(name="Publish Release (Customer Churn)")
def publish_release_task_dept_customer_churn(result: DerivedResult) -> None:
    """Publish hashes, the difference to the release before, pointer files and commands."""
    store = department_store(CATEGORY.department)
    create_markdown_artifact(
        key=artifact_key(CATEGORY.deployment, result.source_id),
        markdown=read_release_page(store, result, CATEGORY.department.id),
        description=f"Release of {CATEGORY.flow_name}",
    )
