"""Flow runs whose process is gone, and which would be Running for ever: mark them as Crashed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.probes import request

_TIMEOUT_S = 10
# Scheduled and paused runs are left: the next worker takes them.
_ALIVE = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}


def crash_lost_runs(port: int, pool: str, reason: str) -> int:
    """Mark every unfinished run of a pool that has no worker any more, with its subflows.

    Subflows have no pool: all unfinished ones are taken. One that runs elsewhere, started by hand,
    is right again as soon as it ends.

    Args:
        port: The server's.
        pool: Name of the pool; none of its runs may have a process.
        reason: Becomes the message of their state.

    Returns:
        How many runs were marked.

    Raises:
        PlatformError: The server does not answer, or refuses.
    """
    state = {"type": "CRASHED", "name": "Crashed", "message": reason}
    lost = list(_lost(port, pool))
    for flow_run_id in lost:
        _post(port, f"/api/flow_runs/{flow_run_id}/set_state", {"state": state, "force": True})
    return len(lost)


def _lost(port: int, pool: str) -> Iterator[str]:
    of_pool = {"flow_runs": _ALIVE, "work_pools": {"name": {"any_": [pool]}}}
    subflows = {"flow_runs": {**_ALIVE, "parent_task_run_id": {"is_null_": False}}}
    for wanted in (of_pool, subflows):
        offset = 0
        while page := _post(port, "/api/flow_runs/filter", {**wanted, "offset": offset}):
            yield from (run["id"] for run in page)
            offset += len(page)


def _post(port: int, path: str, body: dict[str, Any]) -> Any:
    answer = request(port, "POST", path, json.dumps(body).encode(), timeout_s=_TIMEOUT_S)
    if answer is None:
        raise PlatformError(f"The server refused POST {path}", "See the server's log")
    return json.loads(answer)
