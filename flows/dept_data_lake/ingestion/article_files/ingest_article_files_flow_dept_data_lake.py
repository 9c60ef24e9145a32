"""Category flow: download the files that changed."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_sources
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_data_lake.ingestion.article_files.config import CATEGORY, ArticleFilesConfig
from flows.dept_data_lake.ingestion.article_files.tasks.download_file_task_dept_data_lake import (
    download_file_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def ingest_article_files_flow_dept_data_lake(
    config: ArticleFilesConfig | None = None, date: dt.date | None = None
) -> list[SourceResult]:
    """Download every file that changed; the bytes, a manifest and a ref are kept for each."""
    config = category_config(CATEGORY, ArticleFilesConfig, config, date)
    outcomes = fan_out(download_file_task_dept_data_lake, config.files, name=source_id)
    publish_sources(CATEGORY, outcomes)
    return outcomes.require_all()
