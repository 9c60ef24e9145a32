"""What a run publishes: Markdown artifacts in Prefect and one report in the store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from airnub_prefect_starter.common.clock import utc_now
from airnub_prefect_starter.common.errors import StarterError, exit_code_of, is_transient
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.core.artifact_creators import (
    derived_markdown,
    manifests_markdown,
    pages_markdown,
    sources_markdown,
    stage_markdown,
)
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import (
    DerivedResult,
    RunReport,
    SourceFailure,
    SourceResult,
)
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.monitoring.usage import resource_usage
from airnub_prefect_starter.core.page_facts import PageFacts
from airnub_prefect_starter.tasks.fan_out import Outcomes, describe_failure
from airnub_prefect_starter.tasks.run_context import department_store, run_date


@task(name="Publish Artifact")
def publish_markdown(key: str, markdown: str, description: str) -> None:
    """Publish Markdown under a key; the UI shows its versions by run."""
    create_markdown_artifact(key=key, markdown=markdown, description=description)


def publish_sources(category: Category, outcomes: Outcomes[SourceResult]) -> None:
    """Publish how each source fared and write the run's report; failures are named in both."""
    failures = _failures(outcomes.failures, category.namespace)
    report = _report(outcomes.found, (), failures)
    department_store(category.department).write_report(report)
    publish_markdown(
        artifact_key(category.deployment),
        sources_markdown(category.flow_name, outcomes.found, failures),
        f"Sources of {category.flow_name}",
    )


def publish_sources_and_tables(
    category: Category, sources: Outcomes[SourceResult], tables: Outcomes[DerivedResult]
) -> None:
    """Publish how sources fared and what became of them, and write one report of the run."""
    failed = _failures(sources.failures, category.namespace)
    failed_tables = _failures(tables.failures, category.namespace)
    report = _report(sources.found, tables.found, (*failed, *failed_tables))
    department_store(category.department).write_report(report)
    publish_markdown(
        artifact_key(category.deployment),
        sources_markdown(category.flow_name, sources.found, failed),
        f"Sources of {category.flow_name}",
    )
    publish_markdown(
        artifact_key(category.deployment, "tables"),
        derived_markdown(category.flow_name, tables.found, failed_tables),
        f"Tables of {category.flow_name}",
    )


def write_report(category: Category, outcomes: Outcomes[Any]) -> None:
    """Write the report of a run that neither fetches nor derives; failures are named in it."""
    failures = _failures(outcomes.failures, category.namespace)
    department_store(category.department).write_report(_report((), (), failures))


def publish_manifests(category: Category, results: Sequence[SourceResult]) -> None:
    """Publish what the store remembers of each source."""
    store = department_store(category.department)
    found = [(result, store.manifest(result.manifest)) for result in results]
    publish_markdown(
        artifact_key(category.deployment, "manifests"),
        manifests_markdown(category.flow_name, found, category.department.id),
        f"Manifests of {category.flow_name}",
    )


def publish_pages(category: Category, pages: Sequence[PageFacts]) -> None:
    """Publish what pages hold and where they lead."""
    publish_markdown(
        artifact_key(category.deployment, "pages"),
        pages_markdown(category.flow_name, pages),
        f"Pages of {category.flow_name}",
    )


def publish_derived(category: Category, outcomes: Outcomes[DerivedResult]) -> None:
    """Publish what was derived, with its row reconciliation, and write the run's report."""
    failures = _failures(outcomes.failures, category.namespace)
    department_store(category.department).write_report(_report((), outcomes.found, failures))
    publish_markdown(
        artifact_key(category.deployment),
        derived_markdown(category.flow_name, outcomes.found, failures),
        f"Outputs of {category.flow_name}",
    )


def publish_stage(
    stage: Stage, outcomes: Outcomes[Sequence[object]], metrics: ConfigModel | None = None
) -> None:
    """Publish which categories completed, what failed in the others, and metrics if there are."""
    completed = {name: len(results) for name, results in outcomes.results.items()}
    failed = {name: describe_failure(error) for name, error in outcomes.failures.items()}
    publish_markdown(
        artifact_key(stage.deployment),
        stage_markdown(stage.flow_name, completed, failed, metrics.model_dump() if metrics else {}),
        f"Categories of {stage.flow_name}",
    )


def _report(
    results: Sequence[SourceResult],
    derived: Sequence[DerivedResult],
    failures: Sequence[SourceFailure],
) -> RunReport:
    return RunReport(
        run_id=flow_run.get_id() or "",
        parent_run_id=flow_run.get_parent_flow_run_id(),
        flow=flow_run.get_flow_name() or "",
        about=run_date(),
        started_at=_started_at(),
        finished_at=utc_now(),
        results=tuple(results),
        derived=tuple(derived),
        failures=tuple(failures),
        usage=resource_usage(),
    )


def _started_at() -> datetime:
    context = FlowRunContext.get()
    # Prefect's own class of datetime warns when it is used as one.
    return datetime.fromtimestamp(context.start_time.timestamp(), UTC) if context else utc_now()


def _failures(errors: Mapping[str, Exception], namespace: str) -> tuple[SourceFailure, ...]:
    return tuple(_failure(name, error, namespace) for name, error in errors.items())


def _failure(name: str, error: Exception, namespace: str) -> SourceFailure:
    return SourceFailure(
        source_id=name,
        namespace=namespace,
        error=type(error).__name__,
        message=str(error) if isinstance(error, StarterError) else repr(error),
        transient=is_transient(error),
        exit_code=exit_code_of(error),
    )
