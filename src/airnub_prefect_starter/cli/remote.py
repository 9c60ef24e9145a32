"""A release on a cluster as the place where a command does its work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from airnub_prefect_starter.cli.output import progress
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control.k8s.access import (
    cluster_environment,
    registering_environment,
    use_cluster,
)
from airnub_prefect_starter.control.k8s.programs import require_tools, terminable
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import DepartmentEntry

OnOption = Annotated[
    Literal["k8s"] | None,
    typer.Option("--on", help="Run on a Kubernetes cluster instead of the embedded platform."),
]
ContextOption = Annotated[
    str | None,
    typer.Option(help="Context of the kubeconfig; kind-airnub by default.", metavar="NAME"),
]
ReleaseOption = Annotated[
    str | None, typer.Option(help="Name of the release; airnub by default.", metavar="NAME")
]
NamespaceOption = Annotated[
    str | None,
    typer.Option(help="Namespace of the release; airnub by default.", metavar="NAME"),
]


def chosen_release(
    settings: Settings, context: str | None, name: str | None, namespace: str | None
) -> Release:
    """Name the release that the options mean, or else the settings."""
    return Release(
        context=context or settings.kube_context,
        name=name or settings.release,
        namespace=namespace or settings.release_namespace,
    )


@contextmanager
def on_cluster(
    settings: Settings, release: Release, department: DepartmentEntry | None
) -> Iterator[Settings]:
    """Point this process at a release, and give the settings that hold there.

    Must be entered before Prefect is imported: it reads the environment once.

    Raises:
        PlatformError: kubectl is not there, or the release cannot be reached.
    """
    with environment_on(settings, release, department) as environ:
        yield _use(environ)


@contextmanager
def registering_on(settings: Settings, release: Release) -> Iterator[Settings]:
    """Point this process at a release as bootstrap there is, but for its object store.

    Must be entered before Prefect is imported: it reads the environment once.

    Raises:
        PlatformError: kubectl is not there, or the release cannot be reached.
    """
    require_tools(["kubectl"])
    environ = dict(os.environ)
    with terminable(), registering_environment(settings, release, progress) as environment:
        use_cluster(environment, environ)
        yield _use(environ)


def _use(environ: Mapping[str, str]) -> Settings:
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    os.environ.update(environ)
    return load_settings()


@contextmanager
def environment_on(
    settings: Settings, release: Release, department: DepartmentEntry | None
) -> Iterator[Mapping[str, str]]:
    """Give this process's environment with what points a program at a release.

    Raises:
        PlatformError: As for `on_cluster`.
    """
    require_tools(["kubectl"])
    environ = dict(os.environ)
    with (
        terminable(),
        cluster_environment(settings, release, department, progress) as environment,
    ):
        use_cluster(environment, environ)
        yield environ
