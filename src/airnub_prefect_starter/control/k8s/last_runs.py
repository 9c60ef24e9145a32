"""The last runs of a release, as its API tells them: a Job that ended may be a run that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import requests

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import HOST

_TIMEOUT_S = 10


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
    url = environment["PREFECT_API_URL"]
    wanted = {
        "sort": "EXPECTED_START_TIME_DESC",
        "limit": number,
        "flow_runs": {
            "parent_task_run_id": {"is_null_": True},
            "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
        },
    }
    with requests.Session() as session:
        # Nor a .netrc or a proxy for a port of this machine.
        session.trust_env = not url.startswith(f"http://{HOST}:")
        _authorize(session, environment)
        try:
            _bring_token(session, url)
            answer = session.post(f"{url}/flow_runs/filter", json=wanted, timeout=_TIMEOUT_S)
            answer.raise_for_status()
            found: list[dict[str, Any]] = answer.json()
        except requests.RequestException as exc:
            raise PlatformError(f"The API does not tell its runs: {exc}") from exc
    return [_run(each) for each in found]


def _authorize(session: requests.Session, environment: Mapping[str, str]) -> None:
    if auth := environment.get("PREFECT_API_AUTH_STRING"):
        user, _, password = auth.partition(":")
        session.auth = (user, password)
    elif key := environment.get("PREFECT_API_KEY"):
        session.headers["Authorization"] = f"Bearer {key}"


def _bring_token(session: requests.Session, url: str) -> None:
    """Get a CSRF token, as Prefect's own client does before its first POST."""
    client = str(uuid4())
    answer = session.get(f"{url}/csrf-token", params={"client": client}, timeout=_TIMEOUT_S)
    # Either is how a server says that it wants none.
    if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
        return
    answer.raise_for_status()
    session.headers["Prefect-Csrf-Token"] = answer.json()["token"]
    session.headers["Prefect-Csrf-Client"] = client


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
