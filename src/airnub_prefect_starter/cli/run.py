"""``airnub run``: run a department, a stage or a category now and follow it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airnub_prefect_starter.cli.context import connect, opened_store, settings_and_catalog
from airnub_prefect_starter.cli.generic import generic_flow, run_generic
from airnub_prefect_starter.cli.output import (
    JsonOption,
    progress,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.cli.platform import start
from airnub_prefect_starter.cli.remote import (
    ContextOption,
    NamespaceOption,
    OnOption,
    ReleaseOption,
    chosen_release,
    on_cluster,
)
from airnub_prefect_starter.cli.targets import short
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import GENERIC, Category, Stage
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.control.category_configs import changed_config
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry
from airnub_prefect_starter.core.manifest_models import RunReport
from airnub_prefect_starter.core.store import department_url

if TYPE_CHECKING:
    from airnub_prefect_starter.control.department_runs import PublishedArtifact
    from airnub_prefect_starter.control.runs import RunSummary

SOURCE_HEADINGS = ("source", "outcome", "bytes", "received", "digest", "requests")
OUTPUT_HEADINGS = ("output", "outcome", "in", "out", "rejected", "duplicates", "digest")


def run(
    department: Annotated[str, typer.Argument(metavar="DEPT", help="Department to run.")],
    target: Annotated[
        str | None,
        typer.Argument(metavar="[STAGE[/CATEGORY]]", help="All stages in turn by default."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the configuration of this run."),
    ] = None,
    date: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="What the run is about; by default the day before.",
        ),
    ] = None,
    on: OnOption = None,
    context: ContextOption = None,
    release: ReleaseOption = None,
    namespace: NamespaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a department, a stage or a category now and follow it; the exit code is the result.

    Without a server (PREFECT_API_URL) the embedded one is started. A whole department runs as its
    automations start it, stage by stage. With --on k8s it runs on a release of the Helm chart, each
    run as a Job; what is registered there is what runs. Flows of no department are run by
    `airnub run generic FLOW`.

    Example: airnub run project_alpha ingestion/web_page_scraping --set pages.0.delay_s=2
    """
    settings, catalog = settings_and_catalog()
    if department == GENERIC:
        named = generic_flow(catalog.root, target, changed=bool(changes or date))
        with reached(settings, catalog, None, on, context, release, namespace) as connected:
            finished = Finished([run_generic(named, connected)], (), ())
    else:
        entry = catalog.department(department)
        flow = named_flow(entry, target)
        _require_target(flow, changes, date)
        with reached(settings, catalog, entry, on, context, release, namespace) as connected:
            parameters: dict[str, Any] = {}
            if flow and changes:
                parameters["config"] = changed_config(flow, catalog, connected, changes)
            if date:
                parameters["date"] = date.date().isoformat()
            finished = execute(entry, flow, parameters, connected)
    if as_json:
        show_json([as_dict(summary) for summary in finished.summaries])
    else:
        show_finished(finished)
    finished.require_completed()


class Finished:
    """What a command ran: the ends of the runs, their reports and artifacts."""

    def __init__(
        self,
        summaries: Sequence[RunSummary],
        reports: Sequence[RunReport],
        artifacts: Sequence[PublishedArtifact],
    ) -> None:
        self.summaries = summaries
        self.reports = reports
        self.artifacts = artifacts

    def require_completed(self) -> None:
        """Accept only completed runs.

        Raises:
            RunFailedError: One ended otherwise; the message has its reason.
        """
        for summary in self.summaries:
            summary.require_completed()


def named_flow(entry: DepartmentEntry, target: str | None) -> Stage | Category | None:
    """Find the stage or category that a command names; None for the whole department.

    Raises:
        UnknownNameError: The department has no such stage or category. No retry.
        ConfigError: It has no stage at all. No retry.
    """
    if target is None:
        _require_stages(entry)
        return None
    stage, slash, category = target.partition("/")
    return entry.category(stage, category) if slash else entry.stage(stage)


def reached(
    settings: Settings,
    catalog: Catalog,
    entry: DepartmentEntry | None,
    on: str | None,
    context: str | None,
    release: str | None,
    namespace: str | None,
) -> AbstractContextManager[Settings]:
    """Point this process at what the options name: a release, or else the embedded platform.

    Of a release, the department's store is reached too; without one the API alone.

    Raises:
        ConfigError: They name a release, but without ``--on k8s``. No retry.
        PlatformError: It cannot be reached.
    """
    if on is None and any((context, release, namespace)):
        raise ConfigError("--context, --release and --namespace are of a cluster", "Add --on k8s")
    if on is None:
        return _embedded(settings, catalog)
    return on_cluster(settings, chosen_release(settings, context, release, namespace), entry)


def _require_target(
    flow: Stage | Category | None, changes: Collection[str] | None, date: datetime | None
) -> None:
    if flow is None and (changes or date):
        option = "--set" if changes else "--date"
        raise ConfigError(f"{option} needs a stage or a category", "Name one, such as ingestion")


def _require_stages(entry: DepartmentEntry) -> None:
    if not entry.spec.stages:
        raise ConfigError(
            f"Department {entry.name.id} has no stages yet",
            f"Run `airnub add category {entry.name.id} ingestion NAME --like file`",
        )


@contextmanager
def _embedded(settings: Settings, catalog: Catalog) -> Iterator[Settings]:
    yield ready(settings, catalog)


def ready(settings: Settings, catalog: Catalog) -> Settings:
    """Point this process at a server on which everything is registered."""
    if not settings.environment.get("PREFECT_API_URL"):
        _, connected = start(settings, catalog)
        return connected
    return connect(settings)


def execute(
    entry: DepartmentEntry,
    flow: Stage | Category | None,
    parameters: dict[str, Any],
    settings: Settings,
    level: int = logging.INFO,
) -> Finished:
    """Run, follow, and read what was reported; needs connected settings."""
    # Deferred: importing Prefect takes a second, and `connect` must have come first.
    from airnub_prefect_starter.control import department_runs
    from airnub_prefect_starter.control.bootstrap import connect as open_client

    with open_client(settings, progress) as client:
        runs = department_runs.DepartmentRuns(client, progress, level)
        summaries = (
            list(runs.run_department(entry)) if flow is None else [runs.run_flow(flow, parameters)]
        )
        ids = [run_id for each in summaries for run_id in department_runs.run_ids_of(each)]
        artifacts = runs.artifacts(ids)
    address = department_url(settings.store_url, entry.name.id)
    store = opened_store(settings, address, create=True)
    return Finished(summaries, department_runs.reports_of(store, summaries), artifacts)


def as_dict(summary: RunSummary) -> dict[str, str]:
    """Give what programs want to know of a run's end."""
    return {
        "flow_run_id": str(summary.flow_run_id),
        "name": summary.name,
        "state": summary.state,
        "message": summary.message,
        "url": summary.url,
    }


def show_finished(finished: Finished) -> None:
    """Print how each source and each output fared, and how the runs ended."""
    sources = [row for report in finished.reports for row in _source_rows(report)]
    if sources:
        show_table("Sources", SOURCE_HEADINGS, sources)
    derived = [row for report in finished.reports for row in _derived_rows(report)]
    if derived:
        show_table("Outputs", OUTPUT_HEADINGS, derived)
    for summary in finished.summaries:
        say(f"{summary.state}  {summary.name}  {summary.url}")


def _source_rows(report: RunReport) -> list[tuple[object, ...]]:
    failed: list[tuple[object, ...]] = [
        (_place(each.namespace, each.source_id), f"FAILED: {each.error}", "", "", "", "")
        for each in report.failures
        if not report.derived
    ]
    return failed + [
        (
            _place(each.namespace, each.source_id),
            each.outcome,
            human_bytes(each.blob.size),
            human_bytes(each.bytes_in),
            short(each.blob.digest),
            each.attempts,
        )
        for each in report.results
    ]


def _derived_rows(report: RunReport) -> list[tuple[object, ...]]:
    return [
        (
            _place(each.namespace, each.source_id),
            each.outcome,
            *((r.rows_in, r.rows_out, r.rejected, r.duplicates) if (r := each.rows) else [""] * 4),
            short(each.table_digest or each.manifest),
        )
        for each in report.derived
    ]


def _place(namespace: str, source_id: str) -> str:
    return f"{namespace.partition('.')[2]}/{source_id}"
