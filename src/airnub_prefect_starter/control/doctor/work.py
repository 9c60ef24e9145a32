"""Who carries out runs, and runs that nobody does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Finding, fail, listed, ok, warn

Run = Mapping[str, Any]

# A worker is late after three of its heartbeats, as the server itself counts.
_MISSED = 3
_NAMED = 3
_PAGE = 200


def work_pool(context: Context) -> Finding:
    """Look whether every pool is there, of the right type and not paused."""
    wanted = {each.name: each.type for each in context.desired.pools}
    found = {each["name"]: each for each in _pools(context)}
    wrong = [
        problem
        for name, kind in wanted.items()
        if (problem := _wrong_pool(name, kind, found.get(name)))
    ]
    if wrong:
        return fail(listed(wrong), *_fixes_of_pools(context, found, wanted))
    return ok(", ".join(f"{name} ({kind})" for name, kind in wanted.items()))


def _pools(context: Context) -> list[dict[str, Any]]:
    names = [each.name for each in context.desired.pools]
    wanted = {"work_pools": {"name": {"any_": names}}}
    found: list[dict[str, Any]] = context.api.post("/work_pools/filter", wanted)
    return found


def _wrong_pool(name: str, kind: str, pool: Mapping[str, Any] | None) -> str:
    if pool is None:
        return f"there is no work pool {name}"
    if pool["type"] != kind:
        return f"{name} is of type {pool['type']}, not {kind}"
    return f"{name} is paused" if pool["is_paused"] else ""


def _fixes_of_pools(
    context: Context, found: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, str]
) -> list[str]:
    # A pool's type cannot be changed.
    wrong = [
        name for name, kind in wanted.items() if found.get(name, {}).get("type") not in {None, kind}
    ]
    return [
        *(f"{context.prefect} work-pool delete {name}" for name in wrong),
        context.commands.register,
    ]


def worker(context: Context) -> Finding:
    """Look whether each pool has a worker whose heartbeats are recent."""
    pools = [each["name"] for each in _pools(context)]
    workers = {name: _workers(context, name) for name in pools}
    idle = [name for name in pools if not any(map(_is_online, workers[name]))]
    if idle:
        told = [f"no worker of {name} is online{_last_seen(workers[name])}" for name in idle]
        fixes = [context.commands.worker.replace("{pool}", name) for name in idle]
        return fail(listed(told), *fixes)
    return ok(
        ", ".join(f"{sum(map(_is_online, workers[name]))} online for {name}" for name in pools)
    )


def _workers(context: Context, pool: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = context.api.post(f"/work_pools/{pool}/workers/filter", {})
    return found


def _is_online(worker: Mapping[str, Any]) -> bool:
    interval_s = worker["heartbeat_interval_seconds"] or 30
    return worker["status"] == "ONLINE" and _age_s(worker["last_heartbeat_time"]) < (
        _MISSED * interval_s
    )


def _last_seen(workers: Sequence[Mapping[str, Any]]) -> str:
    if not workers:
        return ": none was ever there"
    age_s = min(_age_s(each["last_heartbeat_time"]) for each in workers)
    return f": the last heartbeat came {_human(age_s)} ago"


def late_runs(context: Context) -> Finding:
    """Look for runs that should have begun; backfills and categories wait by design."""
    limit_s = context.thresholds.late_s
    queues = {each["id"]: each for each in _queues(context) if _should_begin(context, each)}
    overdue = _runs(
        context,
        {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "expected_start_time": {"before_": _before(limit_s)},
            "deployment_id": {"is_null_": False},
        },
        work_pool_queues={"id": {"any_": list(queues)}},
    )
    # What waits for its retry or was paused has begun.
    late = [each for each in overdue if each["state_name"] in {"Scheduled", "Late"}]
    if not late:
        return ok(f"no run is over {_human(limit_s)} late")
    told = [f"{each['name']} by {_human(_age_s(each['expected_start_time']))}" for each in late]
    held_up = dict.fromkeys(each["work_queue_id"] for each in late)
    fixes = [_fix_of_queue(context, queues[each]) for each in held_up]
    return warn(f"{_count(late)} late: {listed(told)}", *fixes)


def _queues(context: Context) -> Iterator[dict[str, Any]]:
    for offset in count(step=_PAGE):
        body = {"limit": _PAGE, "offset": offset}
        found: list[dict[str, Any]] = context.api.post("/work_queues/filter", body)
        yield from found
        if len(found) < _PAGE:
            return


def _should_begin(context: Context, queue: Mapping[str, Any]) -> bool:
    """Tell whether runs of a queue begin when they are due: it has room, and is not for waiting."""
    departments = [each.name for each in context.catalog.entries.values()]
    waiting = {
        name for each in departments for name in (each.categories_queue, each.backfill_queue)
    }
    limit = queue["concurrency_limit"]
    is_full = limit is not None and (queue["active_slots"] or 0) >= limit
    return queue["name"] not in waiting and not is_full


def _fix_of_queue(context: Context, queue: Mapping[str, Any]) -> str:
    pool = queue["work_pool_name"]
    if queue["is_paused"]:
        return f"{context.prefect} work-queue resume {queue['name']} --pool {pool}"
    if any(map(_is_online, _workers(context, pool))):
        return f"{context.prefect} work-pool inspect {pool}   # paused, or at its limit"
    return context.commands.worker.replace("{pool}", pool)


def stuck_runs(context: Context) -> Finding:
    """Look for runs that stay where they are, and for those whose heartbeats have stopped."""
    limits = context.thresholds
    waiting = [
        each
        for each in _runs(context, {"state": {"type": {"any_": ["PENDING", "CANCELLING"]}}})
        if _age_s(each["state"]["timestamp"]) > limits.waiting_s
    ]
    running = [
        each
        for each in _runs(context, {"state": {"type": {"any_": ["RUNNING"]}}})
        if _age_s(each["state"]["timestamp"]) > limits.silent_s
    ]
    silent = [each for each in running if not _has_heartbeat(context, each, limits.silent_s)]
    stuck = [*waiting, *silent]
    if not stuck:
        return ok("none")
    told = [
        f"{each['name']} {each['state_name']} for {_human(_age_s(each['state']['timestamp']))}"
        for each in stuck
    ]
    return fail(f"{_count(stuck)} stuck: {listed(told)}", *_fixes_of_stuck(context, stuck))


def _fixes_of_stuck(context: Context, stuck: Sequence[Run]) -> list[str]:
    jobs = [job for each in stuck if (job := each["infrastructure_pid"])]
    if context.on_cluster and jobs:
        parts = [job.partition(":") for job in jobs[:_NAMED]]
        return [
            " ".join(context.release.kubectl("delete", "job", name, "--namespace", namespace))
            for namespace, _, name in parts
        ]
    return [context.commands.lost] if context.commands.lost else _fixes(context, stuck)


def _fixes(context: Context, runs: Sequence[Run]) -> list[str]:
    return [
        f"{context.prefect} flow-run cancel {each['id']}   # {each['name']}"
        for each in runs[:_NAMED]
    ]


def _runs(context: Context, wanted: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
    body = {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC", "limit": _PAGE, **more}
    found: list[dict[str, Any]] = context.api.post("/flow_runs/filter", body)
    return found


def _has_heartbeat(context: Context, run: Run, since_s: float) -> bool:
    body = {
        "filter": {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "any_resource": {"id": [f"prefect.flow-run.{run['id']}"]},
            "occurred": {"since": _before(since_s)},
        },
        "limit": 1,
    }
    return bool(context.api.post("/events/filter", body)["events"])


def _count(runs: Sequence[Run]) -> str:
    number = f"{len(runs)}{' or more' if len(runs) >= _PAGE else ''}"
    return f"{number} run{'' if len(runs) == 1 else 's'}"


def _before(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def _age_s(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def _human(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
