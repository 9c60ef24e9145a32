"""The release on the local cluster: its images built and it installed, by skaffold."""

from __future__ import annotations

import re
import threading
from pathlib import PurePath
from typing import Self

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s.cluster import CLUSTER, CONTEXT
from airnub_prefect_starter.control.k8s.programs import Progress, follow, run
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.control.k8s.status import read_status

# Images are built the first time, from nothing.
_INSTALL_S = 1800
# Its warnings are about images that only Jobs use; its questions and news are for terminals.
_OPTIONS = (
    f"--kube-context={CONTEXT}",
    "--verbosity=error",
    "--interactive=false",
    "--update-check=false",
    # A name of its own for every run would be a label on every pod, and restart them all.
    f"--label=skaffold.dev/run-id={CLUSTER}",
)
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
_LAYER = re.compile("[0-9a-f]{12}: ")  # what a push says of each of dozens of layers
_SILENCE_S = 10
_BUILT = ("platform", "flows", "sources")
_HERE = "built:here"
_IMAGE = re.compile(r"^[ -]+image: \"?([^\s\"]+)", re.MULTILINE)


def install(settings: Settings, release: Release, on_progress: Progress) -> None:
    """Build what has changed, install or upgrade the release, and wait until it is ready.

    Raises:
        PlatformError: It does not; the message has what is not ready.
    """
    config = settings.project_root / "skaffold.yaml"
    _forget_interrupted(release, on_progress)
    try:
        with _Watcher(release, on_progress) as watcher:
            follow(
                ["skaffold", "run", "--filename", str(config), *_OPTIONS],
                watcher.pass_on,
                timeout_s=_INSTALL_S,
                remedy=_look(release),
            )
    except PlatformError as error:
        raise PlatformError(
            " | ".join([error.message, *_problems(release)]), error.remedy
        ) from error


def _forget_interrupted(release: Release, on_progress: Progress) -> None:
    """Let Helm start over where an earlier installation was ended before its end.

    Helm refuses for as long as its record says that one goes on. The record of one that does go
    on is left alone: `skaffold dev` and people's own `helm upgrade` do not take the lock of `up`.

    Raises:
        PlatformError: Helm is at work on this machine. A retry helps when it is done.
    """
    selector = f"owner=helm,name={release.name},status in ({','.join(_PENDING)})"
    options = ("--namespace", release.namespace, "--selector", selector, "--output", "name")
    if not run(release.kubectl("get", "secrets", *options)).strip():
        return
    # The cluster is on this machine, and so is who works on it.
    if any(PurePath(each).name == "helm" for each in run(["ps", "-A", "-o", "comm="]).split()):
        raise PlatformError(
            f"Helm is at work on the release {release.name}",
            "Wait until it is done, or end the `skaffold dev` or `helm` that you have started",
        )
    # By the selector again: what has been completed meanwhile is no longer pending.
    run(release.kubectl("delete", "secrets", *options))
    on_progress("An earlier installation was interrupted: going on from the one before it")


class _Watcher:
    """Says what is not ready whenever skaffold has been silent for a while: Helm waits silently."""

    def __init__(self, release: Release, on_progress: Progress) -> None:
        self._release = release
        self._on_progress = on_progress
        self._spoken = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._spoken.set()
        self._thread.join()

    def pass_on(self, line: str) -> None:
        self._spoken.set()
        if not _LAYER.match(line):
            self._on_progress(line)

    def _watch(self) -> None:
        while not self._done.is_set():
            self._spoken.clear()
            if not self._spoken.wait(_SILENCE_S):
                waiting = "; ".join(_problems(self._release)) or "nothing is wrong so far"
                self._on_progress(f"Still at it: {waiting}")


def _problems(release: Release) -> list[str]:
    """Say what is not ready, where the cluster tells it."""
    try:
        return read_status(release).problems
    except PlatformError as error:
        return [error.message]


def images_of_others(settings: Settings) -> list[str]:
    """List the images that the local release needs and that are not built here, as Helm says it.

    Raises:
        PlatformError: The chart cannot be rendered. No retry.
    """
    chart = settings.project_root / "helm" / "airnub-prefect"
    built = ",".join(f"images.{name}.ref={_HERE}" for name in _BUILT)
    values = ("--values", str(chart / "values-local.yaml"), "--set", built)
    rendered = run(
        ["helm", "template", CLUSTER, str(chart), "--namespace", CLUSTER, *values],
        remedy="See `helm lint helm/airnub-prefect --values helm/airnub-prefect/values-local.yaml`",
    )
    return sorted(set(_IMAGE.findall(rendered)) - {_HERE})


def _look(release: Release) -> str:
    command = release.kubectl("describe", "pods", "--namespace", release.namespace)
    return f"See `{' '.join(command)}`"
