"""Configuration of the category."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import FileSource
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category("article_files")


class ArticleFilesConfig(ConfigModel):
    """Which files to download."""

    files: tuple[FileSource, ...] = Field(min_length=1)
