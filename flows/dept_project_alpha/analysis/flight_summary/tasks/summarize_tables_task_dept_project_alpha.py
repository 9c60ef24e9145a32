"""Task: summaries and plots of processed tables."""

from prefect import task

from airnub_prefect_starter.core.analysis import core_analyze_and_store
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.steps import AnalysisStep
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_project_alpha.analysis.flight_summary.config import CATEGORY


@task(name="Summarize Tables (Project Alpha)", **RETRY)
def summarize_tables_task_dept_project_alpha(step: AnalysisStep) -> DerivedResult:
    """Compute what changed and keep it with its lineage."""
    return core_analyze_and_store(
        department_store(CATEGORY.department), step, namespace=CATEGORY.namespace, run=run_info()
    )
