"""Task: one JSON API into the store."""

from prefect import task

from airnub_prefect_starter.core.api_handlers import core_fetch_api_and_store
from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.core.sources import ApiSource
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info, source_secret
from flows.dept_data_lake.ingestion.public_api_data.config import CATEGORY


@task(name="Fetch API (Data Lake)", **RETRY)
def fetch_api_task_dept_data_lake(source: ApiSource) -> SourceResult:
    """Read all pages of an API if it changed and keep its items, one a line."""
    return core_fetch_api_and_store(
        department_store(CATEGORY.department),
        source,
        namespace=CATEGORY.namespace,
        run=run_info(),
        auth=source_secret(CATEGORY.department, source),
    )
