"""A release as seen from this machine: its API and its store through forwarded ports.

Passwords and keys are read from the cluster's Secrets for the time of one command and are kept in
its memory only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import yaml

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import Layout, without_proxy
from airnub_prefect_starter.control.k8s.forward import PortForward
from airnub_prefect_starter.control.k8s.programs import Progress
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import DepartmentEntry

API_PORT = 4200
# Where `airnub k8s up` and the chart's notes say that the UI is.
UI_URL = f"http://localhost:{API_PORT}"
# Keys of the ConfigMap beside the file.
_ADDRESSES = ("AIRNUB_STORE_URL", "SOURCES_URL")
_IN_CLUSTER = ".svc.cluster.local"
# What a person may have set for other servers and stores.
_FOREIGN = ("PREFECT_", "AWS_")
_PASSED_ON = ("PREFECT_LOGGING_",)


@contextmanager
def cluster_environment(
    settings: Settings, release: Release, department: DepartmentEntry, on_progress: Progress
) -> Iterator[Mapping[str, str]]:
    """Open the ports that a command needs, and give the variables that point it at the release.

    Args:
        settings: The project's settings.
        release: Where the release is.
        department: Whose store is meant, and whose key to it is used.
        on_progress: Called when the ports are opened.

    Raises:
        PlatformError: The release is not there, does not answer, or its Secrets may not be read.
    """
    config = release.data("configmaps", release.object_name("cluster"), release.namespace)
    if not config:
        raise PlatformError(
            f"There is no release {release.name} in {release.namespace} of {release.context}",
            "Run `airnub k8s up`, or name another one: --context, --release",
        )
    on_progress(f"Opening ports to the release {release.name} of {release.context}")
    with ExitStack() as ports:
        yield {
            **_common(settings),
            **_api(release, ports),
            **_store(release, department, yaml.safe_load(config["cluster.yaml"])["s3"], ports),
            **{
                name: config[name] for name in ("AIRNUB_STORE_URL", "SOURCES_URL") if name in config
            },
        }


def use_cluster(environment: Mapping[str, str], environ: MutableMapping[str, str]) -> None:
    """Point a process's environment at a release, before it imports Prefect.

    Args:
        environment: What `cluster_environment` gave.
        environ: What to change: ``os.environ``.
    """
    for name in list(environ):
        if name.startswith(_FOREIGN) and not name.startswith(_PASSED_ON):
            del environ[name]
    environ.update(environment)


def _common(settings: Settings) -> dict[str, str]:
    direct = without_proxy(settings.environment)
    return {
        "PREFECT_HOME": str(Layout(settings.home).prefect_home),
        "AIRNUB_PROJECT_ROOT": str(settings.project_root),
        "AIRNUB_HOME": str(settings.home),
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


def _api(release: Release, ports: ExitStack) -> dict[str, str]:
    auth = release.data("secrets", release.object_name("api-auth"), release.namespace)
    server = release.object_name("server")
    port = ports.enter_context(PortForward(release, release.namespace, server, API_PORT))
    return {
        "PREFECT_API_URL": f"http://{port.address}/api",
        "PREFECT_UI_URL": UI_URL,
        **({"PREFECT_API_AUTH_STRING": auth["auth-string"]} if auth else {}),
    }


def _store(
    release: Release, department: DepartmentEntry, s3: Mapping[str, Any], ports: ExitStack
) -> dict[str, str]:
    namespace = release.object_name(department.namespace)
    key = release.secret(s3["secret_name"], namespace)
    endpoint = s3["endpoint_url"]
    return {
        "AIRNUB_STORE_URL": "s3://airnub/store",
        "AWS_REGION": s3["region"],
        "AWS_ACCESS_KEY_ID": key["access-key-id"],
        "AWS_SECRET_ACCESS_KEY": key["secret-access-key"],
        **({"AWS_ENDPOINT_URL": _reachable(endpoint, release, ports)} if endpoint else {}),
    }


def _reachable(url: str, release: Release, ports: ExitStack) -> str:
    """Give an address of this machine for one that only the cluster knows; others as they are."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host.endswith(_IN_CLUSTER):
        return url
    service, namespace = host.removesuffix(_IN_CLUSTER).split(".")
    port = ports.enter_context(PortForward(release, namespace, service, parts.port or 80))
    return f"{parts.scheme}://{port.address}"
