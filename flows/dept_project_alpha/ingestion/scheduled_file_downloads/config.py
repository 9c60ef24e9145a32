"""Configuration of the scheduled file downloads."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import FileSource
from flows.dept_project_alpha import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category(
    "scheduled_file_downloads", "download_scheduled_files"
)


class ScheduledFileDownloadsConfig(ConfigModel):
    """Which files to download."""

    files: tuple[FileSource, ...] = Field(min_length=1)
