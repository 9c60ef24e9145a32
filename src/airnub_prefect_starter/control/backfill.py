"""Backfills: runs of one deployment, each about a date, in the department's own queue for them."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    FlowRun,
    StateType,
    WorkQueue,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from airnub_prefect_starter.common.errors import ConfigError, StarterError
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.control.follow import Progress
from airnub_prefect_starter.control.reconcile import api_errors, pages
from airnub_prefect_starter.control.runs import create_run, find_deployment
from airnub_prefect_starter.core.departments import DepartmentEntry
from airnub_prefect_starter.core.run_date import date_before

TAG = "backfill"
_POLL_S = 1.0
_ACTIVE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


@dataclass(frozen=True)
class DateRun:
    """A run about a date, and how it stands or ended."""

    date: dt.date
    flow_run_id: UUID
    state: str
    message: str
    url: str


class Backfill:
    """The runs of one deployment, by the date that each is about.

    Args:
        client: The server.
        deployment: The deployment.
        queue: Where its backfills wait.
    """

    def __init__(
        self, client: SyncPrefectClient, deployment: DeploymentResponse, queue: WorkQueue
    ) -> None:
        self._client = client
        self._deployment = deployment
        self._queue = queue
        self.completed: set[dt.date] = set()
        self.pending: dict[dt.date, DateRun] = {}
        self._attempts = Counter[dt.date]()
        for run in self._read(FlowRunFilter(deployment_id=_any_of(deployment.id))):
            self._note(run)

    def at_once(self, wanted: int | None, dates: Sequence[dt.date], *, wait: bool) -> int:
        """Tell how many runs may be under way at once.

        Args:
            wanted: The most that are wanted.
            dates: What is to be run.
            wait: Whether somebody waits, and schedules a run when another has ended.

        Raises:
            ConfigError: More are wanted than the queue lets run, it or the deployment lets none
                run, or nobody waits and the deployment would cancel what comes too early. No retry.
        """
        queued = self._queue.concurrency_limit
        if wanted is not None and queued is not None and wanted > queued:
            raise ConfigError(
                f"--concurrency {wanted} is more than the {queued} of queue {self._queue.name}",
                "Raise backfill.concurrency_limit in the department's file",
            )
        deployed = self._deployment.global_concurrency_limit
        limit = deployed.limit if deployed else None
        if 0 in (queued, limit):
            raise ConfigError(
                f"{self._queue.name if queued == 0 else self._deployment.name} lets no run begin: "
                "its limit is 0",
                "Run `airnub bootstrap`, which sets it as the department's file says",
            )
        options = self._deployment.concurrency_options
        cancels = options and options.collision_strategy == ConcurrencyLimitStrategy.CANCEL_NEW
        if not wait and cancels and limit is not None and limit < len(dates):
            raise ConfigError(
                f"{self._deployment.name} cancels what comes while {limit} run",
                "Leave out --no-wait: then each is scheduled when another has ended",
            )
        return min(each for each in (wanted, queued, limit, len(dates)) if each is not None)

    def schedule(self, date: dt.date) -> DateRun:
        """Schedule a run about a date; who does so at the same time gets the same one.

        Raises:
            ConfigError: The flow takes no date. No retry.
            PlatformError: The server cannot be used.
        """
        attempt = self._attempts[date] + 1
        with api_errors(f"Cannot run {self._deployment.name} for {date}"):
            run = create_run(
                self._client,
                self._deployment,
                {"date": date.isoformat()},
                queue=self._queue.name,
                tags=(TAG, f"date:{date}"),
                idempotency_key=f"{TAG} {self._deployment.id} {date} {attempt}",
            )
        return _date_run(date, run)

    def run(
        self,
        dates: Sequence[dt.date],
        at_once: int,
        on_progress: Progress,
        pause: Callable[[], None] = lambda: time.sleep(_POLL_S),
    ) -> list[DateRun]:
        """Run dates in their order and return how each ended.

        Interrupting this does not interrupt the runs.

        Args:
            dates: What to run.
            at_once: How many may be under way at once, those that others began among them.
            on_progress: Called with a line for each run that has ended.
            pause: Called between two looks at the runs.

        Raises:
            ConfigError: The flow takes no date. No retry.
            PlatformError: The server cannot be used.
        """
        waiting, running, ended = deque(dates), dict[UUID, DateRun](), list[DateRun]()
        try:
            while waiting or running:
                free = at_once - len({*running, *self._active()}) if waiting else 0
                while waiting and free > 0:
                    begun = self.schedule(waiting[0])
                    running[begun.flow_run_id] = begun
                    waiting.popleft()
                    free -= 1
                pause()
                for each in self._ended(running):
                    del running[each.flow_run_id]
                    ended.append(each)
                    on_progress(f"{len(ended)} of {len(dates)}: {each.date} is {each.state}")
        except (KeyboardInterrupt, StarterError):
            on_progress(
                f"{_counted(len(running), 'run goes', 'runs go')} on, "
                f"{_counted(len(waiting), 'date was', 'dates were')} not scheduled: "
                "repeat the command for the rest"
            )
            raise
        return ended

    def _active(self) -> list[UUID]:
        """List what takes a place of this deployment now, whoever began it."""
        wanted = FlowRunFilter(
            deployment_id=_any_of(self._deployment.id),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ACTIVE)),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=dt.datetime.now(dt.UTC)),
        )
        with api_errors(f"Cannot follow {self._deployment.name}"):
            return [
                run.id
                for run in self._read(wanted)
                # Due in another queue, it may wait there for as long as that queue is paused.
                if run.state_type != StateType.SCHEDULED or run.work_queue_id == self._queue.id
            ]

    def _ended(self, running: Mapping[UUID, DateRun]) -> list[DateRun]:
        with api_errors(f"Cannot follow {self._deployment.name}"):
            ids = FlowRunFilter(id=FlowRunFilterId(any_=list(running)))
            found = {run.id: run for run in self._read(ids)}
        gone = [each for key, each in running.items() if key not in found]
        return [
            *(DateRun(each.date, each.flow_run_id, "deleted", "", each.url) for each in gone),
            *(_date_run(running[key].date, run) for key, run in found.items() if _is_final(run)),
        ]

    def _read(self, wanted: FlowRunFilter) -> Iterator[FlowRun]:
        return pages(
            lambda limit, offset: self._client.read_flow_runs(
                flow_run_filter=wanted, limit=limit, offset=offset
            )
        )

    def _note(self, run: FlowRun) -> None:
        date = _about(run)
        if date is None:
            return
        if not _is_final(run):
            self.pending[date] = _date_run(date, run)
        elif run.state_type == StateType.COMPLETED:
            self.completed.add(date)
        if (run.idempotency_key or "").startswith(f"{TAG} "):
            attempt = int(str(run.idempotency_key).rpartition(" ")[2])
            self._attempts[date] = max(attempt, self._attempts[date])


def open_backfill(
    client: SyncPrefectClient, entry: DepartmentEntry, flow: Stage | Category
) -> Backfill:
    """Read what was run of a stage or category, and what is under way.

    Raises:
        ConfigError: The queue for backfills is not registered. Run `airnub bootstrap`.
        UnknownNameError: The deployment is not registered. Run `airnub bootstrap`.
        PlatformError: The server cannot be used.
    """
    with api_errors(f"Cannot read the runs of {flow.deployment}"):
        deployment = find_deployment(client, f"{flow.flow_name}/{flow.deployment}")
        return Backfill(client, deployment, _queue(client, entry, deployment))


def _queue(
    client: SyncPrefectClient, entry: DepartmentEntry, deployment: DeploymentResponse
) -> WorkQueue:
    name = entry.name.backfill_queue
    try:
        return client.read_work_queue_by_name(name, work_pool_name=deployment.work_pool_name)
    except ObjectNotFound as error:
        # Prefect would make it, without a limit.
        raise ConfigError(f"There is no work queue {name}", "Run `airnub bootstrap`") from error


def _any_of(deployment_id: UUID) -> FlowRunFilterDeploymentId:
    return FlowRunFilterDeploymentId(any_=[deployment_id])


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _about(run: FlowRun) -> dt.date | None:
    given = run.parameters.get("date")
    if given is None:
        return date_before(run.expected_start_time) if run.expected_start_time else None
    try:
        return dt.date.fromisoformat(str(given))
    except ValueError:
        return None  # such a run fails before its flow begins


def _is_final(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


def _date_run(date: dt.date, run: FlowRun) -> DateRun:
    message = (run.state.message or "") if run.state else ""
    url = url_for("flow-run", obj_id=run.id) or ""
    return DateRun(date, run.id, run.state_name or "", message, url)
