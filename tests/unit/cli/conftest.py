"""The command line run in this process, in a small project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from airnub_prefect_starter.core.fetching import shared_client
from tests.fault_server import FaultServer
from tests.project_kit import make_project, own_environment, own_flows
from tests.unit.cli.kit import Project


@pytest.fixture
def project(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Iterator[Project]:
    root = make_project(tmp_path / "project")
    with ExitStack() as stack:
        stack.enter_context(own_flows())
        stack.enter_context(
            own_environment(AIRNUB_PROJECT_ROOT=str(root), AIRNUB_DURABILITY="none")
        )
        # Below the patched environment, which is put back after it.
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        yield Project(root, capsysbinary, patch)
    shared_client().close()
    shared_client.cache_clear()


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
