"""Configuration of the ingestion stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_project_alpha.ingestion.public_api_data.config import PublicApiDataConfig
from flows.dept_project_alpha.ingestion.scheduled_file_downloads.config import (
    ScheduledFileDownloadsConfig,
)
from flows.dept_project_alpha.ingestion.web_page_scraping.config import WebPageScrapingConfig


class IngestionConfig(ConfigModel):
    """What to ingest."""

    public_api_data: PublicApiDataConfig
    scheduled_file_downloads: ScheduledFileDownloadsConfig
    web_page_scraping: WebPageScrapingConfig
