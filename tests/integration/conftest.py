"""Integration tests wait more than they work: workers share the platforms (see Makefile)."""

import os
import tempfile
from collections.abc import Iterator

# Importing Prefect makes this folder.
os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="prefect-home-"))

import pytest
from prefect.testing.utilities import prefect_test_harness

from tests.platforms import by_platform as pytest_xdist_make_scheduler
from tests.platforms import longest_first

__all__ = ["pytest_xdist_make_scheduler"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Start one ephemeral server for all tests that run flows or tasks in their own process."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
