"""What of a release is there: nodes, workloads and pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.k8s.release import Release

_INSTANCE = "app.kubernetes.io/instance"
FORBIDDEN = "(Forbidden)"  # in what kubectl says


@dataclass(frozen=True)
class Node:
    """A node of the cluster."""

    name: str
    ready: bool
    version: str


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet of the release."""

    name: str
    ready: int
    wanted: int
    image: str
    kind: str


@dataclass(frozen=True)
class Pod:
    """A pod of the release; ``problem`` says why it is not ready, as far as Kubernetes tells."""

    name: str
    phase: str
    restarts: int
    problem: str


@dataclass(frozen=True)
class ClusterStatus:
    """All of it; ``nodes`` is None for who may not see them: they belong to no namespace."""

    nodes: Sequence[Node] | None
    workloads: Sequence[Workload]
    pods: Sequence[Pod]

    @property
    def ready(self) -> bool:
        """Whether every node that may be seen and every workload is ready, and there are any."""
        nodes = self.nodes is None or (bool(self.nodes) and all(each.ready for each in self.nodes))
        workloads = all(each.ready >= each.wanted for each in self.workloads)
        return nodes and bool(self.workloads) and workloads

    @property
    def problems(self) -> list[str]:
        """What is not ready, and why."""
        return [f"{each.name}: {each.problem}" for each in self.pods if each.problem]


def read_status(release: Release) -> ClusterStatus:
    """Read what of a release is there.

    Raises:
        PlatformError: The cluster does not answer, or reading is not allowed.
    """
    own = release.items(
        "deployments,statefulsets,pods",
        *("--namespace", release.namespace, "--selector", f"{_INSTANCE}={release.name}"),
    )
    return ClusterStatus(
        nodes=_nodes(release),
        workloads=[_workload(each) for each in own if each["kind"] != "Pod"],
        pods=[_pod(each) for each in own if each["kind"] == "Pod"],
    )


def _nodes(release: Release) -> Sequence[Node] | None:
    try:
        return [_node(each) for each in release.items("nodes")]
    except PlatformError as error:
        if FORBIDDEN not in error.message:
            raise
        return None


def _node(node: Mapping[str, Any]) -> Node:
    return Node(
        name=node["metadata"]["name"],
        ready=_condition(node, "Ready"),
        version=node["status"]["nodeInfo"]["kubeletVersion"],
    )


def _workload(workload: Mapping[str, Any]) -> Workload:
    return Workload(
        name=workload["metadata"]["name"],
        ready=workload["status"].get("readyReplicas", 0),
        wanted=workload["spec"].get("replicas", 1),
        image=workload["spec"]["template"]["spec"]["containers"][0]["image"],
        kind=workload["kind"],
    )


def _pod(pod: Mapping[str, Any]) -> Pod:
    status = pod["status"]
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return Pod(
        name=pod["metadata"]["name"],
        phase=status["phase"],
        restarts=sum(each["restartCount"] for each in containers),
        problem="" if status["phase"] == "Succeeded" else _problem(pod, containers),
    )


def _problem(pod: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> str:
    if _condition(pod, "Ready"):
        return ""
    for reason in _reasons(containers):
        return reason
    for each in pod["status"].get("conditions", []):
        if each["status"] == "False" and each.get("message"):
            return str(each["message"])
    return str(pod["status"]["phase"])


def _reasons(containers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say why containers do not run, those that Kubernetes explains first."""
    for each in containers:
        state = each["state"].get("waiting") or each["state"].get("terminated") or {}
        # An init container that has done its work is no reason.
        if state.get("exitCode") != 0 and (state.get("message") or state.get("reason")):
            yield ": ".join(word for word in (state.get("reason"), state.get("message")) if word)


def _condition(thing: Mapping[str, Any], kind: str) -> bool:
    found = thing["status"].get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in found)
