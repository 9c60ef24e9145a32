"""What monitoring publishes: reports as artifacts, the dashboard, and failure where it is due."""

from collections.abc import Mapping, Sequence

from prefect import task
from prefect.artifacts import create_progress_artifact

from airnub_prefect_starter.common.errors import CriticalFindingError
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.core.manifest_models import DerivedInput, DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.monitoring.dashboard import (
    draw_plots,
    keep_dashboard,
    render_dashboard,
)
from airnub_prefect_starter.core.monitoring.markdown import (
    dashboard_markdown,
    flows_markdown,
    quality_markdown,
)
from airnub_prefect_starter.core.monitoring.reports import (
    FlowReport,
    QualityReport,
    read_report,
)
from airnub_prefect_starter.core.monitoring.results import CheckResult, Health, ScoreLimits
from airnub_prefect_starter.tasks.artifacts import publish_derived, publish_markdown
from airnub_prefect_starter.tasks.fan_out import Outcomes, PartialFailureError, describe_failure
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info

_MOST_NAMED = 5


def publish_quality(category: Category, result: DerivedResult) -> list[DerivedResult]:
    """Publish a report on data.

    Raises:
        PartialFailureError: It holds something critical; the report is among its results. No retry.
    """
    report = read_report(department_store(category.department), result, QualityReport)
    publish_score(artifact_key(category.deployment, "health"), report.health)
    return publish_checked(
        category, result, quality_markdown(category.flow_name, report), report.results
    )


def publish_flows(category: Category, result: DerivedResult) -> list[DerivedResult]:
    """Publish a report on runs; see `publish_quality`."""
    report = read_report(department_store(category.department), result, FlowReport)
    return publish_checked(
        category, result, flows_markdown(category.flow_name, report), report.results
    )


def publish_checked(
    category: Category, result: DerivedResult, markdown: str, results: Sequence[CheckResult]
) -> list[DerivedResult]:
    """Publish a report of any kind, then fail if one of its checks found something critical.

    Raises:
        PartialFailureError: That is so; the report is among its results. No retry.
    """
    publish_derived(category, Outcomes({result.source_id: result}, {}))
    publish_markdown(
        artifact_key(category.deployment, "report"), markdown, f"Findings of {category.flow_name}"
    )
    critical = [each for each in results if each.level == "critical"]
    if not critical:
        return [result]
    errors = [
        CriticalFindingError(f"{each.check} of {each.subject} {each.column}: {each.message}")
        for each in critical
    ]
    named = "; ".join(error.message for error in errors[:_MOST_NAMED])
    if len(errors) > _MOST_NAMED:
        named += f"; and {len(errors) - _MOST_NAMED} more"
    group = PartialFailureError(f"{len(critical)} critical: {named}", errors)
    group.results = (result,)
    raise group


@task(name="Publish Health Score")
def publish_score(key: str, health: Health) -> None:
    """Publish a score as a bar; the UI shows its versions by run."""
    create_progress_artifact(
        key=key, progress=health.score, description=f"Health score: {health.status}"
    )


def findings_of(
    stage: Stage, outcomes: Outcomes[Sequence[DerivedResult]]
) -> dict[str, Sequence[CheckResult]]:
    """Give all results by category, and what kept a category from having any.

    That is a critical finding itself. Earlier alerts of such a category stay as they are.
    """
    found: dict[str, Sequence[CheckResult]] = {
        report.namespace: _read(stage, report).results for report in outcomes.kept()
    }
    found[stage.id] = [
        CheckResult(
            check="presence",
            subject=stage.category(name).namespace,
            level="critical",
            message=f"The checks could not be made: {describe_failure(error)}",
        )
        for name, error in outcomes.failures.items()
        if stage.category(name).namespace not in found
    ]
    return found


def _read(stage: Stage, result: DerivedResult) -> QualityReport | FlowReport:
    store = department_store(stage.department)
    if result.namespace.endswith("data_quality"):
        return read_report(store, result, QualityReport)
    return read_report(store, result, FlowReport)


def publish_dashboard(
    stage: Stage, reports: Sequence[DerivedResult], limits: ScoreLimits
) -> DerivedResult:
    """Draw and store the dashboard, and publish its plots and how to open it."""
    result = draw_dashboard(stage, reports, limits)
    store = department_store(stage.department)
    plots = {
        output.name.removesuffix(".png"): store.read_blob(output.blob.digest)
        for output in result.outputs
        if output.name.endswith(".png")
    }
    command = (
        f"airnub store get {result.outputs[0].blob.digest} -d {stage.department.id} "
        "-o dashboard.html"
    )
    publish_markdown(
        artifact_key(stage.deployment, "dashboard"),
        dashboard_markdown(stage.flow_name, command, plots),
        f"Dashboard of {stage.department.display_name}",
    )
    return result


@task(name="Draw Dashboard", **RETRY)
def draw_dashboard(
    stage: Stage, reports: Sequence[DerivedResult], limits: ScoreLimits
) -> DerivedResult:
    """Draw what the reports say and keep it with its lineage."""
    found = [_read(stage, report) for report in reports]
    quality = next((each for each in found if isinstance(each, QualityReport)), None)
    flows = next((each for each in found if isinstance(each, FlowReport)), None)
    plots = draw_plots(quality, flows, limits)
    page = render_dashboard(stage.department.display_name, quality, flows, plots)
    made_of = tuple(
        DerivedInput(
            namespace=report.namespace,
            source_id=report.source_id,
            manifest=report.manifest,
            blob=report.outputs[0].blob.digest,
        )
        for report in reports
    )
    store = department_store(stage.department)
    return keep_dashboard(store, stage.id, made_of, page, plots, run_info())


def verdict(findings: Mapping[str, Sequence[CheckResult]]) -> str:
    """Say in one line how many checks were made and what they came to."""
    results = [result for found in findings.values() for result in found]
    warnings = sum(each.level == "warning" for each in results)
    return f"{len(results)} checks, {warnings or 'no'} warning{'' if warnings == 1 else 's'}"
