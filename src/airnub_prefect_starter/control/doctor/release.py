"""A release of the chart: the cluster, Helm's record, bootstrap's Job, pods, image and volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Finding, fail, listed, ok, warn
from airnub_prefect_starter.control.doctor.machine import by_fill
from airnub_prefect_starter.control.k8s.programs import run
from airnub_prefect_starter.control.k8s.status import FORBIDDEN, read_status

Read = TypeVar("Read")

_PARALLEL = 8
_TIMEOUT = "--request-timeout=10s"
_HELM_RECORDS = "{{range .items}}{{.metadata.labels.version}} {{.metadata.labels.status}}\n{{end}}"
_UNPULLED = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def cluster(context: Context) -> Finding:
    """Look whether the cluster of the context answers, and say which one that is."""
    release = context.release
    remedy = "kubectl config get-contexts   # name one: --context"
    ready = run(release.kubectl("get", "--raw", "/version", _TIMEOUT), timeout_s=15, remedy=remedy)
    address = "jsonpath={.clusters[0].cluster.server}"
    view = release.kubectl("config", "view", "--minify", "--output", address)
    version = ready.partition('"gitVersion": "')[2].partition('"')[0]
    return ok(f"{release.context}, {run(view)}, Kubernetes {version or 'of unknown version'}")


def helm_release(context: Context) -> Finding:
    """Look whether the release is there, and what Helm recorded last."""
    release = context.release
    context.access  # noqa: B018 - raises where there is none
    selector = f"owner=helm,name={release.name}"
    records = run(
        release.kubectl(
            *("get", "secrets", "--namespace", release.namespace, "--selector", selector),
            *("--output", f"go-template={_HELM_RECORDS}", _TIMEOUT),
        )
    )
    by_revision = {int(line.split()[0]): line.split()[1] for line in records.splitlines()}
    if not by_revision:
        return ok(f"{release.name}, not installed by Helm")
    last = max(by_revision)
    if by_revision[last] != "deployed":
        rollback = f"helm rollback {release.name} {_where(context)} --timeout 10m"
        told = f"revision {last} of {release.name} is {by_revision[last]}"
        return fail(told, rollback, context.commands.register)
    return ok(f"{release.name}, revision {last}, deployed")


def _where(context: Context) -> str:
    release = context.release
    return f"--kube-context {release.context} --namespace {release.namespace}"


def bootstrap_job(context: Context) -> Finding:
    """Look how the last bootstrap ended; Helm removes the Job of one that succeeded."""
    release = context.release
    jobs = release.items("jobs", *_selected(context, "app.kubernetes.io/component=bootstrap"))
    for job in jobs:
        name = job["metadata"]["name"]
        if any(each["type"] == "Failed" for each in job["status"].get("conditions", [])):
            logs = release.kubectl("logs", "--namespace", release.namespace, f"job/{name}")
            return fail(f"{name} has failed", " ".join(logs), context.commands.register)
        if job["status"].get("active"):
            return warn(f"{name} runs now", "airnub doctor --k8s   # again, when it has ended")
    return ok("the last one succeeded")


def _selected(context: Context, *selectors: str) -> tuple[str, ...]:
    release = context.release
    selector = ",".join((f"app.kubernetes.io/instance={release.name}", *selectors))
    return ("--namespace", release.namespace, "--selector", selector)


def pods(context: Context) -> Finding:
    """Look whether nodes, workloads and pods are ready, and nothing was scaled to 0."""
    release = context.release
    found = read_status(release)
    asleep = [each for each in found.workloads if not each.wanted]
    short = [each for each in found.workloads if each.ready < each.wanted]
    nodes = [each.name for each in found.nodes or () if not each.ready]
    wrong = [
        *(f"{each.name} is scaled to 0" for each in asleep),
        *(f"{each.name}: {each.ready} of {each.wanted} ready" for each in short),
        *(f"node {name} is not ready" for name in nodes),
        *found.problems,
    ]
    if not wrong:
        return ok(f"{len(found.workloads)} workloads ready")
    scale = release.kubectl("scale", "--namespace", release.namespace, "--replicas=1")
    look = release.kubectl("describe", "pods", "--namespace", release.namespace)
    return fail(
        listed(wrong),
        *(f"{' '.join(scale)} {each.kind.lower()}/{each.name}" for each in asleep),
        *([" ".join(look)] if short or nodes or found.problems else []),
    )


def flows_image(context: Context) -> Finding:
    """Look whether the images of the runs are on a node, and no pod fails to pull its own."""
    found = by_namespace(context, lambda each: context.release.items("pods", "--namespace", each))
    failing = {
        f"{namespace}/{pod['metadata']['name']}: {container['state']['waiting']['reason']}": (
            container["image"]
        )
        for namespace, pods in found.items()
        for pod in pods
        for container in _unpulled(pod)
    }
    if failing:
        fixes = [_push(context, each) for each in failing.values()]
        return fail(listed(list(failing)), *fixes, context.commands.register)
    images = _images(context)
    try:
        nodes = context.release.items("nodes")
    except PlatformError as error:
        if FORBIDDEN not in error.message:
            raise
        return ok(f"{listed(images)}; nodes may not be listed")
    holding = {each: sum(has_image(node, each) for node in nodes) for each in images}
    nowhere = [each for each, number in holding.items() if not number]
    if nowhere:
        told = f"{listed(nowhere)} is on no node: the next run must pull it"
        return warn(told, *(_push(context, each) for each in nowhere))
    return ok(
        listed([f"{each} on {number} of {len(nodes)} nodes" for each, number in holding.items()])
    )


def _images(context: Context) -> list[str]:
    """Name the release's image, and those that departments have instead."""
    cluster = context.access.cluster
    placed = [each.image for each in cluster.departments.values()]
    own = [each.spec.kubernetes.job.image for each in context.catalog.entries.values()]
    return list(dict.fromkeys([cluster.flows_image, *filter(None, [*placed, *own])]))


def _push(context: Context, image: str) -> str:
    if image != context.access.cluster.flows_image:
        return f"docker push {image}   # or correct the department's image and imagePullSecrets"
    if context.release.context.startswith("kind-"):
        return "airnub k8s up   # builds it and pushes it to the local registry"
    return f"docker push {image}   # or correct images.flows and imagePullSecrets"


def _unpulled(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod["status"]
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return [
        each for each in containers if each["state"].get("waiting", {}).get("reason") in _UNPULLED
    ]


def has_image(node: Mapping[str, Any], image: str) -> bool:
    """Tell whether a node lists an image."""
    tagged, _, digest = image.partition("@")
    # A node lists repository@digest and repository:tag, with the registry that Docker means.
    name, _, tag = tagged.rpartition(":")
    repository = tagged if "/" in tag or not name else name
    wanted = f"{repository}@{digest}" if digest else tagged
    names = [each for entry in node["status"].get("images", []) for each in entry["names"]]
    return any(each == wanted or each.endswith(f"/{wanted}") for each in names)


def namespaces(context: Context) -> dict[str, str]:
    """Name the departments' namespaces."""
    entries = context.catalog.entries.values()
    return {each.name.id: context.access.namespace(each) for each in entries}


def by_namespace(context: Context, read: Callable[[str], Read]) -> dict[str, Read]:
    """Read something of each department's namespace, of several at once."""
    names = list(namespaces(context).values())
    with ThreadPoolExecutor(_PARALLEL) as threads:
        return dict(zip(names, threads.map(read, names), strict=True))


def volumes(context: Context) -> Finding:
    """Look how full the volumes of database and object store are."""
    claims = " ".join(
        context.release.kubectl("get", "pvc", "--namespace", context.release.namespace)
    )
    used: dict[str, float] = {}
    told = []
    try:
        for name, path in map(_volume, context.release.items("statefulsets", *_selected(context))):
            used[name], free = _df(context, name, path)
            told.append(f"{name} {used[name]:.0%} used, {human_bytes(free)} free")
    except PlatformError as error:
        # No reason to call it broken: the pod may be starting, or its image have no df.
        return warn(error.message, claims)
    if not used:
        return ok("the release has none of its own")
    fullest = max(used, key=used.__getitem__)
    fix = f"{claims}   # enlarge the claim data-{fullest}-0, or collect garbage"
    return by_fill(used[fullest], ", ".join(told), fix, context.thresholds)


def _volume(workload: Mapping[str, Any]) -> tuple[str, str]:
    mounts: Iterator[Mapping[str, str]] = iter(
        workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    )
    path = next(each["mountPath"] for each in mounts if each["name"] == "data")
    return workload["metadata"]["name"], path


def _df(context: Context, name: str, path: str) -> tuple[float, int]:
    release = context.release
    inside = ("exec", "--namespace", release.namespace, f"statefulset/{name}", "--")
    text = run(release.kubectl(*inside, "df", "-P", "-k", path), timeout_s=15)
    try:
        _, used, free = (int(word) for word in text.splitlines()[-1].split()[1:4])
    except (IndexError, ValueError) as exc:
        raise PlatformError(f"df in {name} printed {text[-200:]!r}") from exc
    return used / (used + free or 1), free * 1024
