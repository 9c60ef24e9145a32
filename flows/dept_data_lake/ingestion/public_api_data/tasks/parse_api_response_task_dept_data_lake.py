"""Task: is what an API said what it promised?"""

from prefect import task

from airnub_prefect_starter.core.api_handlers import parse_api_response
from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_data_lake.ingestion.public_api_data.config import CATEGORY


@task(name="Parse API Response (Data Lake)", **RETRY)
def parse_api_response_task_dept_data_lake(result: SourceResult) -> int:
    """Read the stored items back, verified, and return how many there are."""
    store = department_store(CATEGORY.department)
    return len(parse_api_response(store.read_blob(result.blob.digest)))
