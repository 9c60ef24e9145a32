"""Integration tests wait more than they work: two workers share the platforms (see Makefile)."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Importing Prefect makes this folder.
os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="prefect-home-"))

import pytest
from prefect.testing.utilities import prefect_test_harness
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent.relative_to(ROOT).as_posix()
OWN_WORKER = "control"  # the longest; each group needs its platform once
MINIO = "minio"  # the platform whose store is in a bucket; see flows/kit.py


class ByPlatform(LoadScopeScheduling):  # type: ignore[misc]
    """Keep the tests that share a platform on one worker.

    Marks would say so too, but with pytest 9.2 xdist 3.8 no longer sees them
    (pytest-dev/pytest-xdist#1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Name the platform that a test needs; tests elsewhere are a group by module."""
    path, _, name = nodeid.partition("::")
    if not path.startswith(f"{FOLDER}/"):
        return path
    folder = path.removeprefix(f"{FOLDER}/").partition("/")[0]
    if folder == "flows" and MINIO in re.split(r"[\[\]-]", name):
        return MINIO
    return folder if folder == OWN_WORKER else "others"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByPlatform | None:
    """Take the place of xdist's own groups."""
    return ByPlatform(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Start one ephemeral server for all tests that run flows or tasks in their own process."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
