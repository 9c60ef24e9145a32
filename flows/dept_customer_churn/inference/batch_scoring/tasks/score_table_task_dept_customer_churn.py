"""Task: a table of features to a table of probabilities."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.inference_steps import ScoringStep
from airnub_prefect_starter.core.ml.scoring import core_score_table
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer
from flows.dept_customer_churn.inference.batch_scoring.config import CATEGORY


@task(name="Score Table (Customer Churn)", **RETRY)
def score_table_task_dept_customer_churn(step: ScoringStep) -> DerivedResult:
    """Score everybody by the champion, if features or champion changed."""
    with one_writer(CATEGORY.department, step.table):
        return core_score_table(
            department_store(CATEGORY.department),
            step,
            namespace=CATEGORY.namespace,
            run=run_info(),
        )
