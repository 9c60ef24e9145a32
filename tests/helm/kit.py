"""Render the chart and read what came out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "airnub-prefect"
HELM = shutil.which("helm")

Manifest = Mapping[str, Any]

_CLOUD = "https://api.prefect.cloud/api/accounts/a/workspaces/w"

# Every values file, and the ways of installing that no file shows.
PROFILES: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "local": ("-f", f"{CHART}/values-local.yaml"),
    "staging": ("-f", f"{CHART}/values-staging.yaml"),
    "prod": ("-f", f"{CHART}/values-prod.yaml"),
    "cloud": (
        *("-f", f"{CHART}/values-prod.yaml", "--set", "server.enabled=false"),
        *("--set", "auth.existingSecret=", "--set", "apiKey.existingSecret=prefect-cloud"),
        *("--set", f"apiUrl={_CLOUD}"),
    ),
    "everything": (
        *("-f", f"{CHART}/values-local.yaml", "--set", "sources.enableControl=true"),
        *("--set", "bootstrap.useHelmHooks=false", "--set", "imagePullSecrets={registry}"),
        *("--set", "server.ingress.enabled=true,server.ingress.host=prefect.example.com"),
        *("--set", "server.ingress.className=nginx,server.ingress.tlsSecret=tls"),
        *("--set", "departments.machine_learning.workPool=ml,workPools.ml.replicas=2"),
        *("--set", "networkPolicy.dns.cidrs={169.254.20.10/32}"),
        *("--set", "scheduling.nodeSelector.pool=data,scheduling.tolerations[0].key=data"),
        *("--set-string", "job.env.LEVEL=high,server.env.PREFECT_SERVER_API_DEFAULT_LIMIT=100"),
    ),
    "database with TLS": (
        *("-f", f"{CHART}/values-prod.yaml", "--set", "externalDatabase.tls.caSecret=ca"),
        *("--set", "s3.endpointUrl=https://s3.example.com"),
    ),
}


@dataclass(frozen=True)
class Pod:
    """A pod that the release makes, and who makes it."""

    owner: str
    namespace: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """Containers and init containers."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def component(self) -> str:
        """The component's label; empty for a flow run."""
        return self.labels.get("app.kubernetes.io/component", "")


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is there twice: server-side apply does too."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{twice} twice at {node.start_mark}"
        return super().construct_mapping(node, deep)


@cache
def template(*arguments: str, name: str = "airnub", namespace: str = "airnub") -> str:
    """Render the chart; the text as helm prints it."""
    done = _helm("template", name, str(CHART), "--namespace", namespace, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def render(
    *arguments: str, name: str = "airnub", namespace: str = "airnub"
) -> tuple[Manifest, ...]:
    """Render the chart into its objects, hooks and tests included."""
    text = template(*arguments, name=name, namespace=namespace)
    return tuple(each for each in yaml.load_all(text, _Loader) if each)


def profile(name: str) -> tuple[Manifest, ...]:
    """Render one of the profiles."""
    return render(*PROFILES[name])


def refusal(*arguments: str, name: str = "airnub") -> str:
    """Render what must be refused; helm's message."""
    done = _helm("template", name, str(CHART), "--namespace", "airnub", *arguments)
    assert done.returncode != 0, "it was not refused"
    return done.stderr


def lint(*arguments: str) -> str:
    """Lint the chart strictly; what helm found, empty if nothing."""
    done = _helm("lint", "--strict", str(CHART), *arguments)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def sets(changes: Mapping[str, str]) -> tuple[str, ...]:
    """Give values as arguments of helm."""
    return tuple(part for key, value in changes.items() for part in ("--set", f"{key}={value}"))


def key_of(manifest: Manifest) -> tuple[str, str, str]:
    """Identify an object: kind, namespace, name."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def find(manifests: tuple[Manifest, ...], kind: str, name: str, namespace: str = "airnub") -> Any:
    """Return the only object of that kind and name."""
    found = [each for each in manifests if key_of(each) == (kind, namespace, name)]
    assert len(found) == 1, f"{len(found)} of {kind} {namespace}/{name}"
    return found[0]


def kind(manifests: tuple[Manifest, ...], name: str) -> list[Any]:
    """List the objects of a kind."""
    return [each for each in manifests if each["kind"] == name]


def pods(manifests: tuple[Manifest, ...]) -> Iterator[Pod]:
    """List the pods that the release makes, those of hooks and tests included."""
    for each in manifests:
        if each["kind"] in {"Deployment", "StatefulSet", "Job", "DaemonSet"}:
            pod = each["spec"]["template"]
        elif each["kind"] == "Pod":
            pod = each
        else:
            continue
        namespace = each["metadata"]["namespace"]
        owner = f"{each['kind']} {namespace}/{each['metadata']['name']}"
        yield Pod(owner, namespace, pod["metadata"]["labels"], pod["spec"])


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    return subprocess.run(
        [HELM, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
