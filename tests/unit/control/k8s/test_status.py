from __future__ import annotations

from typing import Any

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.control.k8s.status import Node, Workload, read_status
from tests.unit.control.k8s.fake_tools import FakeTools

Thing = dict[str, Any]


def conditions(**statuses: str) -> list[Thing]:
    return [{"type": name, "status": status} for name, status in statuses.items()]


def node(ready: str = "True") -> Thing:
    return {
        "metadata": {"name": "one"},
        "status": {
            "nodeInfo": {"kubeletVersion": "v1.34.4"},
            "conditions": conditions(MemoryPressure="False", Ready=ready),
        },
    }


def deployment(ready: int | None = 1, wanted: int = 1) -> Thing:
    return {
        "kind": "Deployment",
        "metadata": {"name": "airnub-server"},
        "spec": {
            "replicas": wanted,
            "template": {"spec": {"containers": [{"image": "airnub-platform:1"}]}},
        },
        "status": {} if ready is None else {"readyReplicas": ready},
    }


def pod(phase: str = "Running", ready: str = "True", **status: Any) -> Thing:
    return {
        "kind": "Pod",
        "metadata": {"name": "airnub-server-0"},
        "status": {"phase": phase, "conditions": conditions(Ready=ready), **status},
    }


def container(restarts: int = 0, **state: Thing) -> Thing:
    return {"restartCount": restarts, "state": state}


def test_all_is_well(tools: FakeTools) -> None:
    tools.gives("kubectl", "get deployments", deployment(), pod())
    tools.gives("kubectl", "get nodes", node())

    found = read_status(Release())

    assert found.ready
    assert found.problems == []
    assert found.nodes == [Node("one", ready=True, version="v1.34.4")]
    assert found.workloads == [Workload("airnub-server", 1, 1, "airnub-platform:1", "Deployment")]
    own, _ = tools.asked("kubectl")
    assert "--namespace airnub --selector app.kubernetes.io/instance=airnub " in own


@pytest.mark.parametrize(
    ("nodes", "own"),
    [
        ([], [deployment()]),
        ([node()], []),
        ([node("Unknown")], [deployment()]),
        ([node()], [deployment(None)]),
        ([node()], [deployment(), deployment(1, 2)]),
    ],
    ids=["no node", "nothing installed", "node", "workload", "one of two replicas"],
)
def test_not_ready(tools: FakeTools, nodes: list[Thing], own: list[Thing]) -> None:
    tools.gives("kubectl", "get deployments", *own)
    tools.gives("kubectl", "get nodes", *nodes)

    assert not read_status(Release()).ready


def test_who_may_not_see_nodes_sees_the_release(tools: FakeTools) -> None:
    tools.gives("kubectl", "get deployments", deployment())
    tools.fails(
        "kubectl", "get nodes", 'Error from server (Forbidden): nodes is forbidden: User "x"'
    )

    found = read_status(Release())

    assert found.nodes is None
    assert found.ready


def test_nodes_that_cannot_be_read_for_another_reason(tools: FakeTools) -> None:
    tools.gives("kubectl", "get deployments", deployment())
    tools.fails("kubectl", "get nodes", "connection refused")

    with pytest.raises(PlatformError, match="connection refused"):
        read_status(Release())


WAITING = container(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling image"})
CRASHED = container(3, waiting={"reason": "CrashLoopBackOff"})
KILLED = container(terminated={"reason": "OOMKilled", "exitCode": 137})
PREPARED = container(terminated={"reason": "Completed", "exitCode": 0})
UNSCHEDULED = [
    {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient memory"}
]


@pytest.mark.parametrize(
    ("thing", "problem", "restarts"),
    [
        (pod(), "", 0),
        (pod("Succeeded", "False"), "", 0),
        (
            pod("Pending", "False", containerStatuses=[WAITING]),
            "ImagePullBackOff: Back-off pulling image",
            0,
        ),
        (pod(ready="False", containerStatuses=[CRASHED]), "CrashLoopBackOff", 3),
        (
            pod(ready="False", initContainerStatuses=[PREPARED], containerStatuses=[KILLED]),
            "OOMKilled",
            0,
        ),
        (pod("Pending", conditions=UNSCHEDULED), "0/1 nodes: Insufficient memory", 0),
        (pod("Pending", conditions=[]), "Pending", 0),
    ],
    ids=["ready", "done", "image", "crash", "memory", "no room", "unknown"],
)
def test_why_a_pod_is_not_ready(
    tools: FakeTools, thing: Thing, problem: str, restarts: int
) -> None:
    tools.gives("kubectl", "get deployments", thing)
    tools.gives("kubectl", "get nodes", node())

    found = read_status(Release())

    (shown,) = found.pods
    assert (shown.problem, shown.restarts) == (problem, restarts)
    assert found.problems == ([f"airnub-server-0: {problem}"] if problem else [])
