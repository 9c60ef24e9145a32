"""Task: who is most at risk, as an artifact."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.ml.inference_markdown import scores_markdown
from airnub_prefect_starter.core.ml.inference_steps import ScoringStep
from airnub_prefect_starter.core.ml.scoring import read_scores
from airnub_prefect_starter.tasks.artifacts import publish_markdown
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.inference.batch_scoring.config import CATEGORY


@task(name="Publish Scores (Customer Churn)")
def publish_scores_task_dept_customer_churn(result: DerivedResult, step: ScoringStep) -> None:
    """Publish segments and the 20 customers with the highest probabilities."""
    found = read_scores(department_store(CATEGORY.department), result, step)
    publish_markdown(
        artifact_key(CATEGORY.deployment, "top"),
        scores_markdown("Customers at risk", found),
        f"Scores of {CATEGORY.flow_name}",
    )
