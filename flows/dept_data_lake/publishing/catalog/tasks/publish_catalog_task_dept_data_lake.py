"""Task: the catalog of the lake."""

from prefect import task

from airnub_prefect_starter.core.lake.catalog import core_publish_catalog
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_data_lake.publishing.catalog.config import CATEGORY


@task(name="Publish Catalog (Data Lake)", **RETRY)
def publish_catalog_task_dept_data_lake(source_id: str) -> DerivedResult:
    """Describe every table from its log and keep that as JSON."""
    return core_publish_catalog(
        department_store(CATEGORY.department),
        namespace=CATEGORY.namespace,
        source_id=source_id,
        run=run_info(),
    )
