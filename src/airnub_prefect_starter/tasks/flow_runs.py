"""The ended flow runs of a department, as Prefect knows them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from airnub_prefect_starter.common.names import Department, Stage
from airnub_prefect_starter.core.monitoring.run_metrics import RunFacts

_AT_ONCE = 200  # the most that the API returns (PREFECT_SERVER_API_DEFAULT_LIMIT)
_MOST = 2_000


def ended_runs(department: Department, since: datetime, *, but: Stage) -> list[RunFacts]:
    """Read the runs of a department that began since a time and have ended, the newest 2,000.

    Args:
        department: Whose runs.
        since: An aware time.
        but: A stage to leave out: monitoring, which fails where it finds something.
    """
    found = []
    for run in _read(department, since):
        subject = _subject(run.tags)
        if subject and subject.partition(".")[0] != but.id and run.start_time:
            found.append(_facts(run, subject, run.start_time))
    return found


def _read(department: Department, since: datetime) -> Iterator[FlowRun]:
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[*department.tags]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*TERMINAL_STATES])),
        start_time=FlowRunFilterStartTime(after_=since),
    )
    with get_client(sync_client=True) as client:
        for offset in range(0, _MOST, _AT_ONCE):
            page = client.read_flow_runs(
                flow_run_filter=wanted,
                sort=FlowRunSort.START_TIME_DESC,
                limit=_AT_ONCE,
                offset=offset,
            )
            yield from page
            if len(page) < _AT_ONCE:
                return


def _facts(run: FlowRun, subject: str, started: datetime) -> RunFacts:
    due = run.expected_start_time or started
    return RunFacts(
        run_id=str(run.id),
        subject=subject,
        state=run.state_type.value if run.state_type else "UNKNOWN",
        # Prefect's own class of datetime warns when it is used as one.
        started_at=datetime.fromtimestamp(started.timestamp(), UTC),
        duration_s=run.total_run_time.total_seconds(),
        queue_s=max(0.0, (started - due).total_seconds()),
        attempts=max(1, run.run_count),
    )


def _subject(tags: list[str]) -> str:
    """Give ``stage`` or ``stage.category`` from the tags that every run of ours has."""
    named = dict(tag.split(":", 1) for tag in tags if ":" in tag)
    return ".".join(named[kind] for kind in ("stage", "category") if kind in named)
