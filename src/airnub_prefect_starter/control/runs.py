"""Runs of deployments: start one, follow its logs and states, tell how it ended.

The server is the one that ``PREFECT_API_URL`` names; `connect` opens a client for it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
    LogFilterLevel,
    LogFilterTimestamp,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterSubFlowRuns,
)
from prefect.client.schemas.objects import FlowRun, Log
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.utilities.urls import url_for
from pydantic import JsonValue

from airnub_prefect_starter.common.errors import ConfigError, PlatformError, RunFailedError
from airnub_prefect_starter.common.names import unknown
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import connect
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.reconcile import api_errors, pages

Progress = Callable[[str], None]

_POLL_S = 0.5
_UNCLAIMED_S = 30
# Records are sent in batches: one that is older than the newest seen may still arrive.
_LATE = timedelta(seconds=10)


@dataclass(frozen=True)
class SubflowSummary:
    """How a subflow run ended."""

    flow_run_id: UUID
    name: str
    state: str
    url: str


@dataclass(frozen=True)
class RunSummary:
    """How a flow run ended. ``tasks`` counts its and its subflows' task runs by state name."""

    flow_run_id: UUID
    name: str
    state: str
    message: str
    url: str
    tasks: Mapping[str, int] = field(default_factory=dict)
    subflows: tuple[SubflowSummary, ...] = ()

    def require_completed(self) -> Self:
        """Accept a completed run.

        Raises:
            RunFailedError: It ended otherwise; the message has its reason. Look at it first.
        """
        if self.state == "Completed":
            return self
        reason = f": {self.message}" if self.message else ""
        raise RunFailedError(f"Run {self.name} ended {self.state}{reason}", f"See {self.url}")


def run_deployment(
    deployment: str,
    *,
    settings: Settings,
    on_progress: Progress,
    parameters: Mapping[str, JsonValue] | None = None,
) -> RunSummary:
    """Run a deployment, follow it to its end, and require that it completed.

    Args:
        deployment: ``flow name/deployment name``, or the latter alone where it is unambiguous.
        settings: For how long to wait for the server.
        on_progress: Called with each line of the log and each state.
        parameters: What differs from the deployment's own parameters.

    Raises:
        UnknownNameError: There is no such deployment. No retry.
        ConfigError: The parameters do not fit the flow. No retry.
        PlatformError: The server cannot be used.
        RunFailedError: The run ended in another state than Completed.
    """
    with connect(settings, on_progress) as client:
        flow_run_id = start_run(client, deployment, parameters or {})
        return follow_run(client, flow_run_id, on_progress).require_completed()


def start_run(
    client: SyncPrefectClient, deployment: str, parameters: Mapping[str, JsonValue]
) -> UUID:
    """Create a run of a deployment, to be taken by a worker.

    Raises:
        UnknownNameError: There is no such deployment, or no such parameter. No retry.
        ConfigError: The parameters do not fit the flow, or the name is ambiguous. No retry.
        PlatformError: The server cannot be used.
    """
    with api_errors(f"Cannot run {deployment}"):
        found = find_deployment(client, deployment)
        _require_known(found, parameters)
        try:
            run = client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code in (409, 422):
                detail = exc.response.json().get("detail", exc.response.text)
                raise ConfigError(f"Parameters of {deployment}: {detail}") from exc
            raise
    return run.id


def _require_known(deployment: DeploymentResponse, parameters: Mapping[str, JsonValue]) -> None:
    # The API lets unknown ones through, and the run then crashes.
    schema = deployment.parameter_openapi_schema or {}
    for name in parameters:
        if name not in schema.get("properties", {}):
            raise unknown(f"parameter of {deployment.name}", name, schema.get("properties", {}))


def find_deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    """Find a deployment by its full name, or by its own where only one has it.

    Raises:
        UnknownNameError: There is none. No retry.
        ConfigError: Several have that name. No retry.
    """
    registered = read_deployments(client)
    if name in registered:
        return registered[name]
    keys = [key for key, each in registered.items() if each.name == name]
    if not keys:
        raise unknown("deployment", name, {each.name for each in registered.values()})
    if len(keys) > 1:
        raise ConfigError(f"{name!r} is ambiguous", f"Say one of {', '.join(sorted(keys))}")
    return registered[keys[0]]


def follow_run(
    client: SyncPrefectClient,
    flow_run_id: UUID,
    on_progress: Progress,
    *,
    level: int = logging.INFO,
) -> RunSummary:
    """Show a run's states and log, with those of its subflows, until it has ended.

    Interrupting this does not interrupt the run.

    Raises:
        PlatformError: The server cannot be used.
    """
    follower = _Follower(client, flow_run_id, on_progress, level)
    try:
        with api_errors(f"Cannot follow run {flow_run_id}"):
            return follower.follow()
    except KeyboardInterrupt:
        on_progress(f"The run goes on; cancel it: prefect flow-run cancel {flow_run_id}")
        raise


def wait_for_triggered_run(
    client: SyncPrefectClient, deployment: str, *, since: datetime, timeout_s: float
) -> UUID:
    """Wait for a run of a deployment that an automation created.

    Args:
        client: The server.
        deployment: As for `run_deployment`.
        since: Runs that were created earlier do not count.
        timeout_s: How long to wait, in seconds.

    Raises:
        PlatformError: None came in time.
    """
    deadline = time.monotonic() + timeout_s
    with api_errors(f"Cannot wait for {deployment}"):
        found = find_deployment(client, deployment)
        while True:
            runs = client.read_flow_runs(
                deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[found.id])),
                sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            )
            for run in runs:
                if _is_triggered(run, since):
                    return run.id
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"No automation started {deployment} in {timeout_s:.0f} s",
                    "See its automation in the UI",
                )
            time.sleep(_POLL_S)


def _is_triggered(run: FlowRun, since: datetime) -> bool:
    by_automation = run.created_by is not None and run.created_by.type == "AUTOMATION"
    return by_automation and run.created is not None and run.created >= since


class _Follower:
    """Polls one run; remembers what it has shown."""

    def __init__(
        self, client: SyncPrefectClient, root: UUID, on_progress: Progress, level: int
    ) -> None:
        self._client = client
        self._root = root
        self._on_progress = on_progress
        self._level = level
        self._runs: dict[UUID, FlowRun] = {}
        self._flows: dict[UUID, str] = {}
        self._shown: set[UUID] = set()
        self._newest: datetime | None = None

    def follow(self) -> RunSummary:
        begun = time.monotonic()
        warned = False
        while not self._poll():
            if not warned and time.monotonic() - begun > _UNCLAIMED_S and self._is_unclaimed():
                self._on_progress("No worker has taken the run yet: see `airnub status`")
                warned = True
            time.sleep(_POLL_S)
        # A run's last records, and its tasks' last states, arrive just after its own.
        time.sleep(_POLL_S)
        self._poll()
        return self._summary()

    def _poll(self) -> bool:
        root = self._client.read_flow_run(self._root)
        self._note(root)
        for run in self._subflows():
            self._note(run)
        self._show_logs()
        return root.state is not None and root.state.is_final()

    def _is_unclaimed(self) -> bool:
        state = self._runs[self._root].state
        return state is not None and state.is_scheduled()

    def _note(self, run: FlowRun) -> None:
        known = self._runs.get(run.id)
        self._runs[run.id] = run
        if known is None or known.state_name != run.state_name:
            self._on_progress(f"{self._flow_name(run)} is {run.state_name}")

    def _flow_name(self, run: FlowRun) -> str:
        if run.flow_id not in self._flows:
            self._flows[run.flow_id] = self._client.read_flow(run.flow_id).name
        return self._flows[run.flow_id]

    def _subflows(self) -> list[FlowRun]:
        parents = FlowRunFilterParentFlowRunId(any_=list(self._runs))
        children = FlowRunFilter(parent_flow_run_id=parents)
        return list(
            pages(
                lambda limit, offset: self._client.read_flow_runs(
                    flow_run_filter=children, limit=limit, offset=offset
                )
            )
        )

    def _show_logs(self) -> None:
        wanted = LogFilter(
            level=LogFilterLevel(ge_=self._level),
            flow_run_id=LogFilterFlowRunId(any_=list(self._runs)),
            timestamp=LogFilterTimestamp(after_=self._newest - _LATE) if self._newest else None,
        )
        for log in pages(lambda limit, offset: self._client.read_logs(wanted, limit, offset)):
            if log.id not in self._shown:
                self._shown.add(log.id)
                self._newest = max(self._newest or log.timestamp, log.timestamp)
                self._on_progress(_line(log))

    def _summary(self) -> RunSummary:
        root = self._runs.pop(self._root)
        return RunSummary(
            flow_run_id=root.id,
            name=root.name,
            state=root.state_name or "",
            message=(root.state.message or "") if root.state else "",
            url=_url(root.id),
            tasks=self._tasks([root.id, *self._runs]),
            subflows=tuple(
                SubflowSummary(each.id, each.name, each.state_name or "", _url(each.id))
                for each in self._runs.values()
            ),
        )

    def _tasks(self, flow_run_ids: list[UUID]) -> Mapping[str, int]:
        wanted = TaskRunFilter(
            flow_run_id=TaskRunFilterFlowRunId(any_=flow_run_ids),
            # A subflow's run has a task run in its parent too, which is no task's.
            subflow_runs=TaskRunFilterSubFlowRuns(exists_=False),
        )
        found = pages(
            lambda limit, offset: self._client.read_task_runs(
                task_run_filter=wanted, limit=limit, offset=offset
            )
        )
        return Counter(each.state_name or "" for each in found)


def _line(log: Log) -> str:
    when = log.timestamp.astimezone()
    # A traceback belongs to the run's page, where the whole record is.
    message = log.message.partition("\n")[0]
    return f"{when:%H:%M:%S} {logging.getLevelName(log.level):<7} {message}"


def _url(flow_run_id: UUID) -> str:
    return url_for("flow-run", obj_id=flow_run_id) or ""
