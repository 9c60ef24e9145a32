"""One run, followed: its states and log as they come, with those of its subflows, and its end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
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
from prefect.utilities.urls import url_for

from airnub_prefect_starter.common.errors import RunFailedError
from airnub_prefect_starter.control.reconcile import api_errors, pages

Progress = Callable[[str], None]

_POLL_S = 0.5
_UNCLAIMED_S = 30
# The server writes task runs in batches, a second late at most (`SERVER_COST_SETTINGS`).
_SETTLE_S = 1.5
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
        time.sleep(_SETTLE_S)
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
