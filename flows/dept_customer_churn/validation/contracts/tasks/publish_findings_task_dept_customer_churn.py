"""Task: what was found, as an artifact."""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.core.churn.findings import validation_markdown
from airnub_prefect_starter.core.churn.validation import read_validation
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_customer_churn.validation.contracts.config import CATEGORY


@task(name="Publish Findings (Customer Churn)")
def publish_findings_task_dept_customer_churn(checked: DerivedResult) -> None:
    """Publish what becomes of each source, and every rule that one breaks."""
    found = read_validation(department_store(CATEGORY.department), checked)
    create_markdown_artifact(
        key=artifact_key(CATEGORY.deployment, "findings"),
        markdown=validation_markdown(CATEGORY.flow_name, found),
        description=f"Findings of {CATEGORY.flow_name}",
    )
