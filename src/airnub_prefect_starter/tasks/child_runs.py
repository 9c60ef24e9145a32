"""Categories as runs of their own deployments, below the run of their stage.

A stage's run that begins again, because its pod was moved or somebody retried it, keeps its id. So
it finds what it has started by idempotency keys, and starts nothing twice.
"""

import json
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.states import Cancelled, get_state_exception
from prefect.utilities.callables import get_call_parameters

from airnub_prefect_starter.common.errors import ConfigError, RunFailedError
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.common.utils import generate_sha256_hash

_log = logging.getLogger(__name__)
_POLL_S = 2
_MOST_READ = 200  # the most that the API returns at once (PREFECT_SERVER_API_DEFAULT_LIMIT)
# What the API answers where parameters do not fit the flow, or are too long.
_REFUSED = (409, 422)


def start_run(category: Category, flow: Flow[..., Any], arguments: tuple[object, ...]) -> FlowRun:
    """Start a category's deployment below the current run, or find the run started before.

    One that ended in another state than Completed is followed by a new one.

    Raises:
        ConfigError: There is no such deployment, or it refuses the configuration. No retry.
    """
    given = get_call_parameters(flow.fn, arguments, {}, apply_defaults=False)
    parameters = flow.serialize_parameters(given)
    # Another configuration, as after a correction, is another run.
    digest = generate_sha256_hash(json.dumps(parameters, sort_keys=True).encode())
    name = f"{flow_run.get_id()}.{category.id}.{digest}"
    for attempt in count(1):
        run = _create(category, flow, parameters, f"{name}.{attempt}")
        state = _state(run)
        if state.is_completed() or not state.is_final():
            break
    _log.info("%s is run %s", category.deployment, run.name)
    return run


def _create(
    category: Category, flow: Flow[..., Any], parameters: dict[str, Any], key: str
) -> FlowRun:
    try:
        run: FlowRun = run_deployment(  # type: ignore[assignment]  # no coroutine in a sync flow
            f"{flow.name}/{category.deployment}",
            parameters=parameters,
            timeout=0,
            idempotency_key=key,
            work_queue_name=category.department.categories_queue,
        )
    except ObjectNotFound as error:
        raise ConfigError(
            f"There is no deployment {category.deployment}", "Run `airnub bootstrap`"
        ) from error
    except PrefectHTTPStatusError as error:
        if error.response.status_code not in _REFUSED:
            raise
        raise ConfigError(
            f"{category.deployment} cannot be run with this configuration: {_detail(error)}"
        ) from error
    return run


def _detail(error: PrefectHTTPStatusError) -> str:
    answer = error.response.json()
    detail = answer.get("detail") or answer.get("exception_detail")
    # A list repeats the input beside each message.
    return "; ".join(each["msg"] for each in detail) if isinstance(detail, list) else str(detail)


def wait_for_runs(runs: Collection[FlowRun]) -> dict[UUID, FlowRun]:
    """Wait until runs have ended, and return them by id; a deleted one counts as cancelled."""
    ended = {run.id: _deleted(run) for run in runs}
    waiting = list(ended)
    with get_client(sync_client=True) as client:
        while waiting:
            found = [*_read(client, waiting)]
            ended |= {run.id: run for run in found if _state(run).is_final()}
            waiting = [run.id for run in found if not _state(run).is_final()]
            if waiting:
                time.sleep(_POLL_S)
    return ended


def _read(client: SyncPrefectClient, ids: Sequence[UUID]) -> Iterator[FlowRun]:
    for start in range(0, len(ids), _MOST_READ):
        some = FlowRunFilterId(any_=[*ids[start : start + _MOST_READ]])
        yield from client.read_flow_runs(flow_run_filter=FlowRunFilter(id=some))


def result_of(run: FlowRun) -> Any:
    """Return what an ended run returned, or raise what it raised, with its name in a note.

    Raises:
        RunFailedError: It raised nothing: it crashed, or was cancelled.
        Exception: What it raised; a retry of the stage starts it again.
    """
    try:
        return _result(_state(run))
    except Exception as error:
        # Raised by the category, so of any kind; it only learns where it came from.
        error.add_note(f"run {run.name}")
        raise


def _result(state: State[Any]) -> Any:
    if state.is_completed():
        return state.result()
    ended = RunFailedError(f"The run ended {state.name}: {state.message}")
    if state.data is None:
        raise ended
    try:
        error = get_state_exception(state)
    except Exception as unreadable:
        # Unpickling what was raised may raise anything; the message has its text.
        raise ended from unreadable
    raise error if isinstance(error, Exception) else ended


def _deleted(run: FlowRun) -> FlowRun:
    return run.model_copy(update={"state": Cancelled(message="It was deleted")})


def _state(run: FlowRun) -> State[Any]:
    if run.state is None:
        raise RunFailedError(f"The run {run.name} has no state")
    return run.state
