"""Task: one web page into the store."""

from prefect import task
from prefect.concurrency.sync import concurrency

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.core.sources import PageSource
from airnub_prefect_starter.core.web_utils import core_scrape_page_and_store
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info, source_secret
from flows.dept_project_alpha.ingestion.web_page_scraping.config import CATEGORY

# A slot of the department's limit (its YAML file says how many), shared by all runs everywhere.
SLOT = f"{CATEGORY.department.id}.web_pages"


@task(name="Scrape Page (Project Alpha)", **RETRY)
def scrape_page_task_dept_project_alpha(source: PageSource) -> SourceResult:
    """Read a page if robots.txt allows it and it changed, and keep its bytes."""
    with concurrency(SLOT, lease_duration=60):
        return core_scrape_page_and_store(
            department_store(CATEGORY.department),
            source,
            namespace=CATEGORY.namespace,
            run=run_info(),
            auth=source_secret(CATEGORY.department, source),
        )
