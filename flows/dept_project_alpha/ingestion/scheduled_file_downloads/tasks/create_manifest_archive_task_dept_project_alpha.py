"""Task: what is remembered of each downloaded file, as one artifact."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_manifests
from flows.dept_project_alpha.ingestion.scheduled_file_downloads.config import CATEGORY


@task(name="Create Manifest Archive (Project Alpha)")
def create_manifest_archive_task_dept_project_alpha(results: list[SourceResult]) -> None:
    """Publish the manifests of the given results as a Markdown artifact."""
    publish_manifests(CATEGORY, results)
