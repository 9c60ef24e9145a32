"""The release on the local cluster: its images built and it installed, by skaffold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s.cluster import CLUSTER, CONTEXT
from airnub_prefect_starter.control.k8s.programs import Progress, follow
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
_VALUES = ("values.yaml", "values-local.yaml")
_OF_OTHERS = ("postgresql", "objectStore")


def install(settings: Settings, release: Release, on_progress: Progress) -> None:
    """Build what has changed, install or upgrade the release, and wait until it is ready.

    Raises:
        PlatformError: It does not; the message has what is not ready.
    """
    config = settings.project_root / "skaffold.yaml"
    try:
        follow(
            ["skaffold", "run", "--filename", str(config), *_OPTIONS],
            on_progress,
            timeout_s=_INSTALL_S,
            remedy=_look(release),
        )
    except PlatformError as error:
        raise _explained(error, release) from error


def _explained(error: PlatformError, release: Release) -> PlatformError:
    """Add what is not ready, where the cluster still tells."""
    try:
        problems = read_status(release).problems
    except PlatformError:
        return error
    return PlatformError(" | ".join([error.message, *problems]), error.remedy)


def images_of_others(settings: Settings) -> list[str]:
    """List the images that the local release needs and that are not built here.

    Raises:
        ConfigError: The chart's values cannot be read. No retry.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in _VALUES:
        file = settings.project_root / "helm" / "airnub-prefect" / name
        try:
            values = yaml.safe_load(file.read_text()) or {}
        except (OSError, yaml.YAMLError) as exc:
            raise ConfigError(f"{file} cannot be read: {exc}", "Restore it from Git") from exc
        for image, parts in (values.get("images") or {}).items():
            found.setdefault(image, {}).update(parts)
    return [_reference(found[name]) for name in _OF_OTHERS if name in found]


def _reference(parts: Mapping[str, Any]) -> str:
    if parts.get("ref"):
        return str(parts["ref"])
    name = "/".join(each for each in (parts.get("registry"), parts["repository"]) if each)
    return f"{name}:{parts['tag']}"


def _look(release: Release) -> str:
    command = release.kubectl("describe", "pods", "--namespace", release.namespace)
    return f"See `{' '.join(command)}`"
