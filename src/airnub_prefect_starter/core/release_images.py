"""Which image the runs of each department get when a release is deployed.

A department keeps the image it has until something that its runs execute has changed since the
commit from which that image was built. Everything is read from the release itself, so a deploy
that was skipped or that failed is made up for by the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ValidationError

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.changes import changed_files, has_commit, touched_departments

# The tag is the commit; a digest may follow.
_COMMIT = re.compile(r":(?P<commit>[0-9a-f]{40})(@sha256:[0-9a-f]{64})?$")


class _Flows(BaseModel):
    ref: str = ""


class _Images(BaseModel):
    flows: _Flows = _Flows()


class _Department(BaseModel):
    image: str = ""


class ReleaseValues(BaseModel):
    """What ``helm get values`` tells of a release's images; the other values do not matter here."""

    images: _Images = _Images()
    departments: Mapping[str, _Department] = {}

    def image(self, department: str) -> str:
        """Give the image of a department's runs; empty where the release names none."""
        return self.departments.get(department, _Department()).image or self.images.flows.ref


def parse_release_values(text: str, source: str) -> ReleaseValues:
    """Read what ``helm get values --output json`` printed.

    Args:
        text: The output; ``null`` is a release without values of its own.
        source: How messages call it.

    Raises:
        ConfigError: It is not that. No retry.
    """
    try:
        return ReleaseValues.model_validate(json.loads(text) or {})
    except (json.JSONDecodeError, ValidationError) as error:
        raise ConfigError(
            f"{source} does not hold a release's values",
            "Write it with `helm get values RELEASE --output json`",
        ) from error


def require_commit(image: str) -> None:
    """Accept an image whose tag is a commit.

    Raises:
        ConfigError: The tag is no commit: no later deploy could tell what has changed. No retry.
    """
    if _commit(image) is None:
        raise ConfigError(
            f"The tag of {image} is not a commit",
            "Tag the image with the 40 characters of `git rev-parse HEAD`",
        )


def kept_images(
    root: Path, departments: Iterable[str], previous: ReleaseValues
) -> Mapping[str, str]:
    """Find the departments of which nothing has changed, and the image that each of them keeps.

    Args:
        root: The project's root, in a Git repository with the history of the images.
        departments: Every department of the project.
        previous: What the release has.

    Raises:
        ConfigError: Git cannot be asked. No retry.
    """

    @cache
    def touched(commit: str) -> frozenset[str] | None:
        # What was built from another line of history may hold anything.
        return (
            touched_departments(changed_files(root, commit)) if has_commit(root, commit) else None
        )

    kept = {}
    for department in departments:
        image = previous.image(department)
        commit = _commit(image)
        changed = touched(commit) if commit else None
        if changed is not None and department not in changed:
            kept[department] = image
    return kept


def _commit(image: str) -> str | None:
    found = _COMMIT.search(image)
    return found["commit"] if found else None
