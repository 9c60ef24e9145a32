"""Which tests share a platform, and so a worker of pytest-xdist.

Marks would say so too, but with pytest 9.2 xdist 3.8 no longer sees them
(pytest-dev/pytest-xdist#1386).
"""

from __future__ import annotations

import re

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

MINIO = "minio"  # the platform whose store is in a bucket; see integration/flows/kit.py
# Each group needs its platform once.
_GROUPS = {
    "integration/control": "control",
    "integration/core": "core",
    "integration/departments": "lake",
    "integration/departments/dept_customer_churn": "models",
    "integration/entry_points": "lake",
    "integration/flows": "flows",
    "integration/lake": "lake",
    "integration/ml": "models",
    "integration/notebooks": "models",
    "integration/orchestrator": "orchestrator",
    "integration/scaffold": "scaffold",
    "integration/serving": "models",
    "integration/store": "store",
    "integration/tasks": "tasks",
    "e2e/k8s": "cluster",
    "images": "images",
}
# Groups of the integration tests, by the time they take: what begins last shall be short.
_LONGEST_FIRST = (
    *("flows", "control", "models", "lake", "orchestrator", "scaffold"),
    *(MINIO, "store", "tasks", "core"),
)


class ByPlatform(LoadScopeScheduling):  # type: ignore[misc]
    """Keep the tests that share a platform on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Name the platform that a test needs; tests elsewhere are a group by module."""
    path, _, name = nodeid.partition("::")
    folder = path.removeprefix("tests/")
    if folder.startswith("integration/flows/") and MINIO in re.split(r"[\[\]-]", name):
        return MINIO
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        if folder in _GROUPS:
            return _GROUPS[folder]
    return path


def longest_first(items: list[pytest.Item]) -> None:
    """Order tests for ``--no-loadscope-reorder``, which deals groups out as they come."""
    place = {name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(group(item.nodeid), len(place)))


def by_platform(config: pytest.Config, log: Producer) -> ByPlatform | None:
    """Take the place of xdist's own groups with ``--dist loadgroup``."""
    return ByPlatform(config, log) if config.getvalue("dist") == "loadgroup" else None
