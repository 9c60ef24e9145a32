"""Runs of deployments: start one, follow it, wait for one that an automation starts.

The server is the one that ``PREFECT_API_URL`` names; `connect` opens a client for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.filters import EventFilter, EventNameFilter, EventRelatedFilter
from pydantic import JsonValue

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import connect
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.follow import Progress, RunSummary, follow_run
from airnub_prefect_starter.control.reconcile import api_errors

__all__ = [
    "Progress",
    "RunSummary",
    "create_run",
    "find_deployment",
    "follow_run",
    "run_deployment",
    "start_run",
    "wait_for_triggered_run",
]

_POLL_S = 0.5
_EVENTS = 50  # the most that the API gives at once


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
        return create_run(client, find_deployment(client, deployment), parameters).id


def create_run(
    client: SyncPrefectClient,
    deployment: DeploymentResponse,
    parameters: Mapping[str, JsonValue],
    *,
    queue: str | None = None,
    tags: Iterable[str] = (),
    idempotency_key: str | None = None,
) -> FlowRun:
    """Create a run of a deployment that was read; one that has the key already is returned.

    Raises:
        UnknownNameError: There is no such parameter. No retry.
        ConfigError: The parameters do not fit the flow. No retry.
    """
    _require_known(deployment, parameters)
    try:
        return client.create_flow_run_from_deployment(
            deployment.id,
            parameters=dict(parameters),
            work_queue_name=queue,
            tags=tags,
            idempotency_key=idempotency_key,
        )
    except httpx.HTTPStatusError as exc:
        if exc.response.status_code in (409, 422):
            detail = exc.response.json().get("detail", exc.response.text)
            raise ConfigError(f"Parameters of {deployment.name}: {detail}") from exc
        raise


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


def wait_for_triggered_run(
    client: SyncPrefectClient, after: UUID, deployment: str, *, timeout_s: float
) -> UUID:
    """Wait for the run of a deployment that an automation started when another run ended.

    Args:
        client: The server.
        after: The run that ended.
        deployment: As for `run_deployment`.
        timeout_s: How long to wait, in seconds.

    Raises:
        PlatformError: None came in time.
    """
    deadline = time.monotonic() + timeout_s
    with api_errors(f"Cannot wait for {deployment}"):
        # The event of a change of state has the state's id (prefect/server/models/events.py).
        cause = EventRelatedFilter(
            resources_in_roles=[
                (f"prefect.event.{client.read_flow_run(after).state_id}", "triggering-event")
            ]
        )
        target = EventRelatedFilter(
            resources_in_roles=[
                (f"prefect.deployment.{find_deployment(client, deployment).id}", "target")
            ]
        )
        while (found := _started_run(client, [cause, target])) is None:
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"No automation started {deployment} in {timeout_s:.0f} s",
                    "See its automation in the UI",
                )
            time.sleep(_POLL_S)
    return found


def _started_run(client: SyncPrefectClient, related: list[EventRelatedFilter]) -> UUID | None:
    executed = EventFilter(
        event=EventNameFilter(name=["prefect.automation.action.executed"]), related=related
    )
    for event in client.read_events(executed, limit=_EVENTS).events:
        for resource in event.resources_in_role["flow-run"]:
            return UUID(resource.id.removeprefix("prefect.flow-run."))
    return None
