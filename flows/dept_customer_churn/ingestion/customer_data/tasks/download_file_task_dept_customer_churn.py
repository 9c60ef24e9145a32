"""Task: one file into the store."""

from prefect import task

from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info, source_secret
from flows.dept_customer_churn.ingestion.customer_data.config import CATEGORY


@task(name="Download File (Customer Churn)", **RETRY)
def download_file_task_dept_customer_churn(source: FileSource) -> SourceResult:
    """Download a file if it changed; its bytes are hashed while they come in, then kept."""
    return core_download_hash_store_and_manifest(
        department_store(CATEGORY.department),
        source,
        namespace=CATEGORY.namespace,
        run=run_info(),
        auth=source_secret(CATEGORY.department, source),
    )
