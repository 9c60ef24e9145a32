"""Category flow: read web pages as robots.txt allows, keep their bytes and what they link to."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_pages, publish_sources
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_project_alpha.ingestion.web_page_scraping.config import (
    CATEGORY,
    WebPageScrapingConfig,
)
from flows.dept_project_alpha.ingestion.web_page_scraping.tasks.extract_links_from_html_content_task_dept_project_alpha import (  # noqa: E501
    extract_links_from_html_content_task_dept_project_alpha,
)
from flows.dept_project_alpha.ingestion.web_page_scraping.tasks.scrape_page_task_dept_project_alpha import (  # noqa: E501
    scrape_page_task_dept_project_alpha,
)


@flow(name=CATEGORY.flow_name)
def scrape_web_pages_flow_dept_project_alpha(
    config: WebPageScrapingConfig | None = None, date: dt.date | None = None
) -> list[SourceResult]:
    """Read every page that changed, politely, and publish where the pages lead."""
    config = category_config(CATEGORY, WebPageScrapingConfig, config, date)
    scraped = fan_out(scrape_page_task_dept_project_alpha, config.pages, name=source_id)
    read = extract_links_from_html_content_task_dept_project_alpha
    pages = fan_out(read, scraped.found, name=source_id)
    outcomes = scraped.checked_by(pages)
    publish_sources(CATEGORY, outcomes)
    publish_pages(CATEGORY, pages.found)
    return outcomes.require_all()
