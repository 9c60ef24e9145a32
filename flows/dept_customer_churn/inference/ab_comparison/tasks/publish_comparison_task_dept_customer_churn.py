"""Task: a comparison of models, as an artifact."""

from prefect import task

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.ml.comparison_step import read_comparison
from airnub_prefect_starter.core.ml.inference_markdown import comparison_markdown
from airnub_prefect_starter.tasks.artifacts import publish_markdown
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.inference.ab_comparison.config import CATEGORY


@task(name="Publish Comparison (Customer Churn)")
def publish_comparison_task_dept_customer_churn(result: DerivedResult) -> None:
    """Publish the decision with its intervals, or that there is no challenger."""
    found = read_comparison(department_store(CATEGORY.department), result)
    publish_markdown(
        artifact_key(CATEGORY.deployment, "comparison"),
        comparison_markdown("Champion and challenger", found),
        f"Comparison of {CATEGORY.flow_name}",
    )
