"""Flow runs whose process is gone, and which would be Running for ever: mark them as Crashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.probes import request

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

# Posts a body to a path of the API and returns the answer.
Post = Callable[[str, dict[str, Any]], Any]

_TIMEOUT_S = 10
# Scheduled and paused runs are left: the next worker takes them.
_ALIVE = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}


def crash_lost_runs(port: int, pool: str, reason: str) -> int:
    """Mark the lost runs on the embedded server, without importing Prefect; see `crash_lost`.

    Args:
        port: The server's.
        pool: Name of the pool; none of its runs may have a process.
        reason: Becomes the message of their state.

    Returns:
        How many runs were marked.

    Raises:
        PlatformError: The server does not answer, or refuses.
    """
    return crash_lost(partial(_post, port), pool, reason)


def crash_lost_runs_by(client: SyncPrefectClient, pool: str, reason: str) -> int:
    """Mark the lost runs on any server; see `crash_lost`.

    Raises:
        httpx.HTTPError: The server does not answer, or refuses.
    """

    def post(path: str, body: dict[str, Any]) -> Any:
        return client.request("POST", path, json=body).json()  # type: ignore[arg-type]

    return crash_lost(post, pool, reason)


def crash_lost(post: Post, pool: str, reason: str) -> int:
    """Mark every unfinished run of a pool that has no worker any more, with its subflows.

    Subflows have no pool: all unfinished ones are taken. One that runs elsewhere, started by hand,
    is right again as soon as it ends.
    """
    state = {"type": "CRASHED", "name": "Crashed", "message": reason}
    lost = list(_lost(post, pool))
    for flow_run_id in lost:
        post(f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": True})
    return len(lost)


def _lost(post: Post, pool: str) -> Iterator[str]:
    of_pool = {"flow_runs": _ALIVE, "work_pools": {"name": {"any_": [pool]}}}
    subflows = {"flow_runs": {**_ALIVE, "parent_task_run_id": {"is_null_": False}}}
    for wanted in (of_pool, subflows):
        offset = 0
        while page := post("/flow_runs/filter", {**wanted, "offset": offset}):
            yield from (run["id"] for run in page)
            offset += len(page)


def _post(port: int, path: str, body: dict[str, Any]) -> Any:
    answer = request(port, "POST", f"/api{path}", json.dumps(body).encode(), timeout_s=_TIMEOUT_S)
    if answer is None:
        raise PlatformError(f"The server refused POST {path}", "See the server's log")
    return json.loads(answer)
