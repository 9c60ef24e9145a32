"""Programs as people start them: each a process of its own, on one server for all."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from airnub_prefect_starter.blocks import ContentStore
from airnub_prefect_starter.core.store import Store
from flows.dept_data_lake import DEPARTMENT
from tests.fault_server import FaultServer
from tests.s3_kit import S3Server, s3_server

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 240

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """Give the environment of a fresh clone: no settings, no server, nothing stored."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "AWS_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_"))
    }
    return {
        **kept,
        "AIRNUB_HOME": str(tmp_path / "home"),
        "AIRNUB_STORE_URL": (tmp_path / "store").as_uri(),
        "AIRNUB_DURABILITY": "none",
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }


@pytest.fixture
def served(prefect_server: None, alone: dict[str, str]) -> dict[str, str]:
    """Give an environment that names a server."""
    return {**alone, "PREFECT_API_URL": str(PREFECT_API_URL.value())}


@pytest.fixture
def program(served: dict[str, str], tmp_path: Path) -> Program:
    """Run a program of ``flows/`` from another folder."""

    def run(file: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return start(file, *arguments, cwd=tmp_path, env={**served, **environ})

    return run


def start(
    file: str, *arguments: str, cwd: Path, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "flows" / file), *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Give the lines that tell of errors; a person gets no traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


@pytest.fixture
def sources() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def lake(prefect_server: None, tmp_path: Path) -> Store:
    """Give the data lake an empty store, registered as its block."""
    block = ContentStore(
        url=(tmp_path / "store").as_uri(), department=DEPARTMENT.id, durability="none"
    )
    block.save(DEPARTMENT.block, overwrite=True)
    return block.get_store()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server
