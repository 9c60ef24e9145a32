"""Keys to a bucket that only ``.env`` holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter import cli
from airnub_prefect_starter.cli import demo
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.store import open_store
from tests.broken_s3 import BrokenS3
from tests.s3_kit import reaching
from tests.store_conformance import fetch
from tests.unit.cli.kit import Project


@pytest.fixture
def dotenv(project: Project) -> Iterator[BrokenS3]:
    """A server with a store that nothing but the project's ``.env`` leads to."""
    with BrokenS3() as server:
        with reaching(server.environment):
            fetch(open_store("s3://bucket/stores/project_alpha"), b"data")
        lines = [f"{name}={each}" for name, each in server.environment.items()]
        project.write(".env", "\n".join([*lines, "AIRNUB_STORE_URL=s3://bucket/stores"]))
        with reaching({}):
            for name in [each for each in os.environ if each.startswith("AWS_")]:
                del os.environ[name]  # until the block ends
            yield server


def test_the_demo_verifies_what_the_worker_wrote(dotenv: BrokenS3) -> None:
    report = demo._verified(load_settings())

    assert (report.blobs, report.violations) == (1, ())


def test_every_command_opens_stores_with_the_keys_of_the_settings() -> None:
    folder = Path(cli.__path__[0])
    users = {file.name for file in folder.glob("*.py") if "open_store" in file.read_text()}

    assert users == {"context.py"}
