"""Category flow: download the files that changed, verify and keep their bytes."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_sources
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_project_alpha.ingestion.scheduled_file_downloads.config import (
    CATEGORY,
    ScheduledFileDownloadsConfig,
)
from flows.dept_project_alpha.ingestion.scheduled_file_downloads.tasks.create_manifest_archive_task_dept_project_alpha import (  # noqa: E501
    create_manifest_archive_task_dept_project_alpha,
)
from flows.dept_project_alpha.ingestion.scheduled_file_downloads.tasks.download_file_task_dept_project_alpha import (  # noqa: E501
    download_file_task_dept_project_alpha,
)


@flow(name=CATEGORY.flow_name)
def download_scheduled_files_flow_dept_project_alpha(
    config: ScheduledFileDownloadsConfig | None = None, date: dt.date | None = None
) -> list[SourceResult]:
    """Download every file that changed; the bytes, a manifest and a ref are kept for each."""
    config = category_config(CATEGORY, ScheduledFileDownloadsConfig, config, date)
    outcomes = fan_out(download_file_task_dept_project_alpha, config.files, name=source_id)
    publish_sources(CATEGORY, outcomes)
    create_manifest_archive_task_dept_project_alpha(outcomes.found)
    return outcomes.require_all()
