"""Configuration of the web page scraping."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import PageSource
from flows.dept_project_alpha import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category("web_page_scraping", "scrape_web_pages")


class WebPageScrapingConfig(ConfigModel):
    """Which pages to read."""

    pages: tuple[PageSource, ...] = Field(min_length=1)
