"""Configuration of the category."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import FileSource
from flows.dept_project_beta import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category("reference_files", "download_reference_files")


class ReferenceFilesConfig(ConfigModel):
    """Which files to download."""

    files: tuple[FileSource, ...] = Field(min_length=1)
