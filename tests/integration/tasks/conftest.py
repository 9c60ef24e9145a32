"""One ephemeral Prefect server for the tests of this folder."""

import os
import tempfile
from collections.abc import Iterator

# Importing Prefect makes this folder.
os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="prefect-home-"))

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield
