"""The local cluster: a kind cluster and, beside it, the registry that its node pulls from.

The registry is the one of kind's documentation (name, port and ConfigMap), so one that is already
there for other clusters is used as it is. It also answers for the public registries: what it holds
of them needs no network, and what it does not hold is pulled from where it always is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s.programs import Progress, follow, run
from airnub_prefect_starter.control.probes import answers

CLUSTER = "airnub"
CONTEXT = f"kind-{CLUSTER}"
REGISTRY = "kind-registry"
REGISTRY_IMAGE = "registry:3"
REGISTRY_HOST = "localhost:5001"
_PORT = int(REGISTRY_HOST.partition(":")[2])
_OURS = "airnub.io/created-by=airnub"
_DOCKER_HUB = "docker.io"
_MIRRORED = (_DOCKER_HUB, "quay.io")
_ANEW = "Run `airnub k8s down`, then `airnub k8s up`"
_CREATE_S = 300
_READY_S = 120
_REGISTRY_S = 30
_IMAGE_S = 600

_HOSTS_TOML = f"""\
[host."http://{REGISTRY}:5000"]
  capabilities = ["pull", "resolve"]
"""


@dataclass(frozen=True)
class Removed:
    """What `delete` removed."""

    cluster: bool
    registry: bool


def create(settings: Settings, images: Collection[str], on_progress: Progress) -> None:
    """Make the cluster and its registry, start what was stopped, and leave alone what runs.

    Args:
        settings: For the project's folder and ``KIND_NODE_IMAGE``.
        images: Images of others that the registry shall hold.
        on_progress: Called with a line about whatever takes more than a moment.

    Raises:
        PlatformError: Docker does not answer, or a step fails; the message has its last words.
    """
    run(["docker", "info"], remedy="Start Docker and see that you may use it: `docker info`")
    _ensure_registry(on_progress)
    # The cluster mostly waits while it starts; images are pushed meanwhile.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pushed: Future[None] = pool.submit(_provide, images, on_progress)
        _ensure_cluster(settings, on_progress)
        _connect(settings)
        if not pushed.done():
            on_progress("Waiting for images of others to be in the registry")
        pushed.result()


def exists() -> bool:
    """Tell whether there is a cluster of our name, running or not.

    Raises:
        PlatformError: kind or Docker cannot be used.
    """
    return CLUSTER in run(["kind", "get", "clusters"]).split()


def delete(on_progress: Progress, *, keep_registry: bool) -> Removed:
    """Delete the cluster with all that it stores, and the registry if `create` made it.

    Raises:
        PlatformError: One cannot be deleted.
    """
    found = exists()
    if found:
        on_progress(f"Deleting the cluster {CLUSTER} with all that it stores")
        run(["kind", "delete", "cluster", "--name", CLUSTER], timeout_s=_CREATE_S)
    registry = not keep_registry and bool(_container(REGISTRY, "--filter", f"label={_OURS}"))
    if registry:
        on_progress(f"Deleting the registry {REGISTRY}")
        run(["docker", "rm", "--force", "--volumes", REGISTRY])
    return Removed(cluster=found, registry=registry)


def _ensure_registry(on_progress: Progress) -> None:
    if _container(REGISTRY, "--filter", "status=running"):
        return
    if _container(REGISTRY):
        run(["docker", "start", REGISTRY])
        _await_registry()
        return
    on_progress(f"Starting the registry {REGISTRY} on {REGISTRY_HOST}")
    _pull(REGISTRY_IMAGE, on_progress)
    options = ["--restart", "always", "--publish", f"127.0.0.1:{_PORT}:5000", "--label", _OURS]
    run(
        ["docker", "run", "--detach", *options, "--name", REGISTRY, REGISTRY_IMAGE],
        remedy=f"If another program listens on port {_PORT}, end it and `docker rm {REGISTRY}`",
    )
    _await_registry()


def _await_registry() -> None:
    deadline = time.monotonic() + _REGISTRY_S
    while not answers(_PORT, "/v2/"):
        if time.monotonic() > deadline:
            raise PlatformError(
                f"{REGISTRY} does not answer on {REGISTRY_HOST}", f"See `docker logs {REGISTRY}`"
            )
        time.sleep(0.1)


def _ensure_cluster(settings: Settings, on_progress: Progress) -> None:
    before = _current_context()
    found = exists()
    if found and _unfinished(settings).exists():
        on_progress(f"Creating {CLUSTER} was interrupted: deleting what there is of it")
        run(["kind", "delete", "cluster", "--name", CLUSTER], timeout_s=_CREATE_S)
        found = False
    if found:
        _start(on_progress)
    else:
        on_progress(f"Creating the cluster {CLUSTER}")
        _create(settings, on_progress)
    if before != CONTEXT:
        # kind makes its own the current one; a person may be at work in another, or in none.
        choice = ["use-context", before] if before else ["unset", "current-context"]
        run(["kubectl", "config", *choice])
    wait = ["wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_READY_S}s"]
    run(
        ["kubectl", "--context", CONTEXT, *wait],
        timeout_s=_READY_S + 30,
        remedy=f"See `kubectl --context {CONTEXT} describe nodes`; or begin anew: {_ANEW}",
    )


def _start(on_progress: Progress) -> None:
    for node in _nodes():
        if not _container(node, "--filter", "status=running"):
            on_progress(f"Starting the node {node}")
            run(["docker", "start", node])
    run(["kind", "export", "kubeconfig", "--name", CLUSTER], remedy=_ANEW)


def _unfinished(settings: Settings) -> Path:
    """Name the file that is there while kind creates the cluster, and after that was cut off.

    What kind leaves behind then looks like a cluster and never becomes one.
    """
    return settings.home / "k8s" / "creating"


def _create(settings: Settings, on_progress: Progress) -> None:
    image = settings.environment.get("KIND_NODE_IMAGE")
    config = settings.project_root / "k8s" / "kind" / "cluster.yaml"
    unfinished = _unfinished(settings)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    follow(
        ["kind", "create", "cluster", "--config", str(config), "--name", CLUSTER]
        + (["--image", image] if image else []),
        on_progress,
        timeout_s=_CREATE_S,
        remedy="Run it again; see https://kind.sigs.k8s.io/docs/user/known-issues/",
    )
    unfinished.unlink()


def _connect(settings: Settings) -> None:
    """Tell nodes and tools where the registry is."""
    for node in _nodes():
        for host in (REGISTRY_HOST, *_MIRRORED):
            folder = f"/etc/containerd/certs.d/{host}"
            script = f"mkdir -p {folder} && cat > {folder}/hosts.toml"
            run(["docker", "exec", "-i", node, "sh", "-c", script], stdin=_HOSTS_TOML)
    networks = run(
        ["docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", REGISTRY]
    )
    if "kind" not in json.loads(networks):
        run(["docker", "network", "connect", "kind", REGISTRY])
    hosting = settings.project_root / "k8s" / "kind" / "local-registry.yaml"
    run(["kubectl", "--context", CONTEXT, "apply", "--filename", str(hosting)])


def _provide(images: Collection[str], on_progress: Progress) -> None:
    for image in images:
        # A push may give another digest; and nodes ask only for these registries' images here.
        if "@" in image or _split(image)[0] not in _MIRRORED:
            continue
        copy = mirrored(image)
        known = run(["docker", "image", "ls", "--quiet", copy]).strip()
        if known and _in_registry(copy):
            continue
        _pull(image, on_progress)
        on_progress(f"Pushing {image} to the registry")
        run(["docker", "tag", image, copy])
        run(["docker", "push", copy], timeout_s=_IMAGE_S)


def mirrored(image: str) -> str:
    """Give an image's name in the registry, where nodes look for it first.

    >>> mirrored("postgres:17"), mirrored("quay.io/minio/minio:R")
    ('localhost:5001/library/postgres:17', 'localhost:5001/minio/minio:R')
    """
    host, path = _split(image)
    library = "library/" if host == _DOCKER_HUB and "/" not in path else ""
    return f"{REGISTRY_HOST}/{library}{path}"


def _split(image: str) -> tuple[str, str]:
    """Give the registry of an image, and its name there."""
    host, slash, rest = image.partition("/")
    named = slash and (host == "localhost" or "." in host or ":" in host)
    return (host, rest) if named else (_DOCKER_HUB, image)


def _in_registry(copy: str) -> bool:
    try:
        run(["docker", "manifest", "inspect", "--insecure", copy])
    except PlatformError:
        return False
    return True


def _pull(image: str, on_progress: Progress) -> None:
    if not run(["docker", "image", "ls", "--quiet", image]).strip():
        on_progress(f"Pulling {image}")
        run(
            ["docker", "pull", image],
            timeout_s=_IMAGE_S,
            remedy="Without a network, load the image into Docker first",
        )


def _current_context() -> str:
    found = run(["kubectl", "config", "view", "--output", "jsonpath={.current-context}"])
    return found.strip()


def _nodes() -> Sequence[str]:
    return run(["kind", "get", "nodes", "--name", CLUSTER]).split()


def _container(name: str, *filters: str) -> str:
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"name=^/?{name}$"]
    return run([*command, *filters]).strip()
