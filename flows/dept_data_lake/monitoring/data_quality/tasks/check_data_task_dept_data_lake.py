"""Task: every check of the lake's data."""

from prefect import task

from airnub_prefect_starter.common.clock import utc_now
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.monitoring.config import DataQualityChecks
from airnub_prefect_starter.core.monitoring.reports import HEALTH
from airnub_prefect_starter.core.monitoring.steps import core_check_data
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_data_lake.monitoring.data_quality.config import CATEGORY


@task(name="Check Data (Data Lake)", **RETRY)
def check_data_task_dept_data_lake(checks: DataQualityChecks) -> DerivedResult:
    """Run all checks and keep what they found."""
    with one_writer(CATEGORY.department, HEALTH):
        return core_check_data(
            department_store(CATEGORY.department),
            checks,
            namespace=CATEGORY.namespace,
            now=utc_now(),
            run=run_info(),
        )
