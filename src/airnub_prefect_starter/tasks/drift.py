"""What a search for drift publishes: its report as an artifact, alerts, and failure if critical."""

from collections.abc import Sequence

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.drift_step import PAGE, read_drift
from airnub_prefect_starter.core.ml.inference_markdown import drift_markdown
from airnub_prefect_starter.core.ml.step import output_named
from airnub_prefect_starter.core.monitoring.results import CheckResult
from airnub_prefect_starter.tasks.fan_out import Outcomes, describe_failure
from airnub_prefect_starter.tasks.monitoring import publish_checked
from airnub_prefect_starter.tasks.run_context import department_store


def publish_drift(category: Category, result: DerivedResult) -> list[DerivedResult]:
    """Publish a report on drift.

    Raises:
        PartialFailureError: It holds something critical; the report is among its results. No retry.
    """
    report, plot = read_drift(department_store(category.department), result)
    page = output_named(result, PAGE).blob.digest
    markdown = (
        f"{drift_markdown(category.flow_name, report, plot)}\n\nAs one HTML file: "
        f"`airnub store get {page} -d {category.department.id} -o drift.html`"
    )
    return publish_checked(category, result, markdown, report.results)


def drift_findings(
    category: Category, outcomes: Outcomes[Sequence[DerivedResult]]
) -> dict[str, Sequence[CheckResult]]:
    """Give all results of the category, or that it had none, which is critical itself."""
    store = department_store(category.department)
    for each in outcomes.kept():
        if each.namespace == category.namespace:
            return {category.namespace: read_drift(store, each)[0].results}
    failure = CheckResult(
        check="presence",
        subject=category.namespace,
        level="critical",
        message=f"Drift was not looked for: {describe_failure(outcomes.failures[category.id])}",
    )
    return {category.stage.id: [failure]}
