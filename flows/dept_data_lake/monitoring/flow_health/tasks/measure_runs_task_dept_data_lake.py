"""Task: how the department's runs fared."""

from datetime import timedelta

from prefect import task

from airnub_prefect_starter.common.clock import utc_now
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.monitoring.flow_config import FlowHealthChecks
from airnub_prefect_starter.core.monitoring.run_metrics import FLOW_RUNS
from airnub_prefect_starter.core.monitoring.steps import core_measure_flows
from airnub_prefect_starter.tasks.flow_runs import ended_runs
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_data_lake.monitoring.flow_health.config import CATEGORY


@task(name="Measure Runs (Data Lake)", **RETRY)
def measure_runs_task_dept_data_lake(checks: FlowHealthChecks) -> DerivedResult:
    """Collect the runs that ended, and keep what they come to."""
    now = utc_now()
    since = now - timedelta(days=checks.days)
    with one_writer(CATEGORY.department, FLOW_RUNS):
        return core_measure_flows(
            department_store(CATEGORY.department),
            ended_runs(CATEGORY.department, since, but=CATEGORY.stage),
            checks,
            namespace=CATEGORY.namespace,
            now=now,
            run=run_info(),
        )
