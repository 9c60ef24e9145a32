"""Runs of a department: a stage, a category, or all stages as their automations start them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.settings import PREFECT_UI_URL
from pydantic import JsonValue

from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.control.reconcile import api_errors, pages
from airnub_prefect_starter.control.runs import (
    Progress,
    RunSummary,
    follow_run,
    start_run,
    wait_for_triggered_run,
)
from airnub_prefect_starter.core.departments import DepartmentEntry, first_stages
from airnub_prefect_starter.core.manifest_models import RunReport
from airnub_prefect_starter.core.store import Store

# An automation starts its run within seconds; a loaded machine may take longer.
_TRIGGER_TIMEOUT_S = 120


@dataclass(frozen=True)
class PublishedArtifact:
    """An artifact of a run and its address in the UI."""

    key: str
    url: str


@dataclass(frozen=True)
class DepartmentRuns:
    """Runs one client's departments and follows them to their end.

    Args:
        client: The server.
        on_progress: Called with each line of the logs and each state.
        level: Least level of the log lines that are shown.
    """

    client: SyncPrefectClient
    on_progress: Progress
    level: int

    def run_department(self, entry: DepartmentEntry) -> Iterator[RunSummary]:
        """Run the first stages, follow what their success starts, and yield each run's end.

        Raises:
            UnknownNameError: A deployment is not registered. Run `airnub bootstrap`.
            PlatformError: The server cannot be used, or an automation started nothing.
        """
        for stage_id in first_stages(entry):
            run_id = start_run(self.client, _key(entry.stage(stage_id)), {})
            yield from self._follow(entry, stage_id, run_id)

    def run_flow(self, flow: Stage | Category, parameters: Mapping[str, JsonValue]) -> RunSummary:
        """Run a stage or a category alone; what its success starts is not followed.

        Raises:
            UnknownNameError: Its deployment is not registered. Run `airnub bootstrap`.
            ConfigError: The parameters do not fit. No retry.
            PlatformError: The server cannot be used.
        """
        run_id = start_run(self.client, _key(flow), parameters)
        return follow_run(self.client, run_id, self.on_progress, level=self.level)

    def _follow(self, entry: DepartmentEntry, stage_id: str, run_id: UUID) -> Iterator[RunSummary]:
        self.on_progress(f"Following {entry.stage(stage_id).flow_name}")
        summary = follow_run(self.client, run_id, self.on_progress, level=self.level)
        yield summary
        if summary.state != "Completed":
            return
        for target in entry.spec.stages[stage_id].on_success:
            self.on_progress(f"Waiting for the automation to start {target}")
            triggered = wait_for_triggered_run(
                self.client, run_id, _key(entry.stage(target)), timeout_s=_TRIGGER_TIMEOUT_S
            )
            yield from self._follow(entry, target, triggered)

    def artifacts(self, run_ids: Collection[UUID]) -> list[PublishedArtifact]:
        """List what runs published, by key.

        Raises:
            PlatformError: The server cannot be read.
        """
        wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=list(run_ids)))
        with api_errors("Cannot read artifacts"):
            found = pages(
                lambda limit, offset: self.client.read_artifacts(
                    artifact_filter=wanted, limit=limit, offset=offset
                )
            )
            keyed = {each.key: each.id for each in found if each.key}
        # Prefect's `url_for` knows no artifacts.
        ui = f"{PREFECT_UI_URL.value() or ''}/artifacts/artifact"
        return [PublishedArtifact(key, f"{ui}/{keyed[key]}") for key in sorted(keyed)]


def reports_of(store: Store, summaries: Collection[RunSummary]) -> list[RunReport]:
    """Read the reports that runs and their subflows wrote, in the order of their start."""
    run_ids = {str(run_id) for summary in summaries for run_id in run_ids_of(summary)}
    found = [report for report in store.reports() if report.run_id in run_ids]
    return sorted(found, key=lambda report: (report.started_at, report.flow))


def run_ids_of(summary: RunSummary) -> list[UUID]:
    """List the ids of a run and of its subflows."""
    return [summary.flow_run_id, *(each.flow_run_id for each in summary.subflows)]


def _key(flow: Stage | Category) -> str:
    return f"{flow.flow_name}/{flow.deployment}"
