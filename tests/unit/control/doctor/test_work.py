from __future__ import annotations

from typing import Any

import pytest

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.doctor import work
from airnub_prefect_starter.control.doctor.context import Context, Platform, Server
from airnub_prefect_starter.control.doctor.findings import Check, Finding, examine
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import load_catalog
from tests.unit.control.doctor.kit import COMMANDS, FakeApi, ago, context_of

POOL = {"name": "airnub", "type": "process", "is_paused": False}
WORKERS = "POST /work_pools/airnub/workers/filter"


def asked(settings: Settings, look: str, api: FakeApi) -> Finding:
    return examine([Check("it", getattr(work, look))], context_of(settings, api.url)).findings["it"]


def worker(age_s: float, status: str) -> dict[str, Any]:
    return {
        "status": status,
        "last_heartbeat_time": ago(age_s),
        "heartbeat_interval_seconds": 30,
    }


def run(state: str, age_s: float, name: str = "grey-owl", kind: str = "") -> dict[str, Any]:
    return {
        "id": f"id-of-{name}",
        "name": name,
        "state_name": state,
        "state": {"type": kind or state.upper(), "timestamp": ago(age_s)},
        "expected_start_time": ago(age_s),
        "infrastructure_pid": None,
    }


@pytest.mark.parametrize(
    ("pools", "state", "what", "fixes"),
    [
        ([POOL], "ok", "airnub (process)", ()),
        ([], "fail", "there is no work pool airnub", ("register it",)),
        ([{**POOL, "is_paused": True}], "fail", "airnub is paused", ("register it",)),
        (
            [{**POOL, "type": "docker"}],
            "fail",
            "airnub is of type docker, not process",
            ("PREFECT_API_URL={url} prefect work-pool delete airnub", "register it"),
        ),
    ],
    ids=["right", "missing", "paused", "of another type"],
)
def test_work_pools(
    settings: Settings,
    api: FakeApi,
    pools: list[dict[str, Any]],
    state: str,
    what: str,
    fixes: tuple[str, ...],
) -> None:
    api.manners.answers["POST /work_pools/filter"] = pools

    found = asked(settings, "work_pool", api)

    assert (found.state, found.what) == (state, what)
    assert found.fixes == tuple(each.format(url=api.url) for each in fixes)


@pytest.mark.parametrize(
    ("workers", "state", "what"),
    [
        ([(5, "ONLINE"), (5, "OFFLINE")], "ok", "1 online for airnub"),
        ([], "fail", "no worker of airnub is online: none was ever there"),
        (
            [(7200, "ONLINE")],
            "fail",
            "no worker of airnub is online: the last heartbeat came 2 h ago",
        ),
        (
            [(90_000, "OFFLINE"), (180_000, "OFFLINE")],
            "fail",
            "no worker of airnub is online: the last heartbeat came 1 d ago",
        ),
    ],
    ids=["online", "none", "stale", "offline"],
)
def test_workers(
    settings: Settings, api: FakeApi, workers: list[tuple[float, str]], state: str, what: str
) -> None:
    api.manners.answers["POST /work_pools/filter"] = [POOL]
    api.manners.answers[WORKERS] = [worker(*each) for each in workers]

    found = asked(settings, "worker", api)

    assert (found.state, found.what) == (state, what)
    assert found.fixes == (() if state == "ok" else ("work on airnub",))


def queue(name: str, *, paused: bool = False, active: int = 0) -> dict[str, Any]:
    return {
        "id": f"id-of-{name}",
        "name": name,
        "work_pool_name": "airnub",
        "is_paused": paused,
        "concurrency_limit": 2,
        "active_slots": active,
    }


@pytest.mark.parametrize(
    ("paused", "workers", "fix"),
    [
        (True, [], "PREFECT_API_URL={url} prefect work-queue resume sample --pool airnub"),
        (False, [], "work on airnub"),
        (
            False,
            [worker(5, "ONLINE")],
            "PREFECT_API_URL={url} prefect work-pool inspect airnub   # paused, or at its limit",
        ),
    ],
    ids=["paused queue", "no worker", "worker there"],
)
def test_late_runs_are_warned_of(
    settings: Settings, api: FakeApi, paused: bool, workers: list[dict[str, Any]], fix: str
) -> None:
    api.manners.answers["POST /work_queues/filter"] = [queue("sample", paused=paused)]
    api.manners.answers[WORKERS] = workers
    api.manners.answers["POST /flow_runs/filter"] = [
        {**run("Late", 600, kind="SCHEDULED"), "work_queue_id": "id-of-sample"},
        run("AwaitingRetry", 600, "red-fox", kind="SCHEDULED"),
    ]

    found = asked(settings, "late_runs", api)

    assert (found.state, found.what) == ("warn", "1 run late: grey-owl by 10 min")
    assert found.fixes == (fix.format(url=api.url),)


def test_no_run_is_late(settings: Settings, api: FakeApi) -> None:
    api.manners.answers["POST /work_queues/filter"] = []
    api.manners.answers["POST /flow_runs/filter"] = []

    found = asked(settings, "late_runs", api)

    assert (found.state, found.what) == ("ok", "no run is over 5 min late")
    wanted = api.manners.asked[-1][1]["flow_runs"]
    assert wanted["expected_start_time"]["before_"] < ago(299)


def test_runs_that_wait_by_design_are_not_late(settings: Settings, api: FakeApi) -> None:
    api.manners.answers["POST /work_queues/filter"] = [
        queue("sample", active=1),
        queue("sample-categories"),
        queue("sample-backfill"),
        queue("default", active=2),
    ]
    api.manners.answers["POST /flow_runs/filter"] = []

    asked(settings, "late_runs", api)

    asked_for = api.manners.asked[-1][1]["work_pool_queues"]
    assert asked_for == {"id": {"any_": ["id-of-sample"]}}


@pytest.mark.parametrize(
    ("name", "age_s", "heartbeats", "state"),
    [
        ("Pending", 60, [], "ok"),
        ("Pending", 1000, [], "fail"),
        ("Running", 1000, [{"event": "prefect.flow-run.heartbeat"}], "ok"),
        ("Running", 1000, [], "fail"),
        ("Running", 60, [], "ok"),
    ],
    ids=["fresh", "pending", "alive", "silent", "just begun"],
)
def test_stuck_runs(
    settings: Settings,
    api: FakeApi,
    name: str,
    age_s: float,
    heartbeats: list[dict[str, str]],
    state: str,
) -> None:
    api.manners.answers["POST /flow_runs/filter"] = [run(name, age_s)]
    api.manners.answers["POST /events/filter"] = {"events": heartbeats}

    found = asked(settings, "stuck_runs", api)

    assert found.state == state
    if state == "fail":
        assert found.what.startswith("1 run stuck: grey-owl")
        assert "prefect flow-run cancel id-of-grey-owl" in found.fixes[0]


@pytest.mark.parametrize(
    ("job", "fix"),
    [
        (
            "airnub-dept-sample:grey-owl-x",
            "kubectl --context kind-airnub delete job grey-owl-x --namespace airnub-dept-sample",
        ),
        (
            None,
            "airnub k8s exec --context kind-airnub --release airnub --namespace airnub sample "
            "prefect flow-run cancel id-of-grey-owl   # grey-owl",
        ),
    ],
    ids=["with a Job", "without"],
)
def test_stuck_runs_on_a_cluster(
    settings: Settings, api: FakeApi, job: str | None, fix: str
) -> None:
    stuck = {**run("Pending", 1000), "infrastructure_pid": job}
    api.manners.answers["POST /flow_runs/filter"] = [stuck]
    server = Server({"PREFECT_API_URL": api.url}, settings)
    platform = Platform(COMMANDS, lambda _: server, Release())
    context = Context(settings, load_catalog(settings), platform)

    assert work.stuck_runs(context).fixes == (fix,)
