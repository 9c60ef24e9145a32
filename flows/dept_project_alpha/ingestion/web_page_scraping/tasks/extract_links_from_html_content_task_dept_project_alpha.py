"""Task: where a stored page leads and what it holds."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.core.page_facts import PageFacts, core_read_page
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_project_alpha.ingestion.web_page_scraping.config import CATEGORY


@task(name="Extract Links From HTML Content (Project Alpha)", **RETRY)
def extract_links_from_html_content_task_dept_project_alpha(result: SourceResult) -> PageFacts:
    """Read a stored page back, verified, and return its links, tables and words."""
    return core_read_page(department_store(CATEGORY.department), result)
