"""The last runs of a release, as its API tells them: a Job that ended may be a run that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airnub_prefect_starter.control.rest import Api


@dataclass(frozen=True)
class Run:
    """A flow run that a worker took or should have taken.

    Attributes:
        name: Its name.
        flow: ``department/stage`` or ``department/stage/category``.
        state: Its state's name, such as ``Completed``.
        started_at: When it began, or should have.
        job: ``namespace:name`` of its Job; empty before there is one.
    """

    name: str
    flow: str
    state: str
    started_at: str
    job: str


def last_runs(environment: Mapping[str, str], number: int) -> Sequence[Run]:
    """Read the last runs that are no subflows, the latest first.

    Args:
        environment: What `access.api_environment` gave.
        number: How many.

    Raises:
        PlatformError: The API does not answer, or refuses.
    """
    wanted = {
        "sort": "EXPECTED_START_TIME_DESC",
        "limit": number,
        "flow_runs": {
            "parent_task_run_id": {"is_null_": True},
            "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
        },
    }
    found: list[dict[str, Any]] = Api(environment).post("/flow_runs/filter", wanted)
    return [_run(each) for each in found]


def _run(run: Mapping[str, Any]) -> Run:
    tags = dict(tag.split(":", 1) for tag in run["tags"] if ":" in tag)
    places = [tags.get(name) for name in ("department", "stage", "category")]
    return Run(
        name=run["name"],
        flow="/".join(each for each in places if each),
        state=run["state_name"],
        started_at=run["start_time"] or run["expected_start_time"],
        job=run["infrastructure_pid"] or "",
    )
