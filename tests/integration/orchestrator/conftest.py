"""The pipeline as people start it: a program that brings up a platform of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PIPELINE = ROOT / "src" / "data_pipeline_orchestrator" / "pipeline.py"
TIMEOUT_S = 900
FOREIGN = ("AIRNUB_", "AWS_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_")

Pipeline = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give the environment of a fresh clone, and stop what was started in it."""
    folder = tmp_path_factory.mktemp("orchestrator")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment = {
        **kept,
        "AIRNUB_HOME": str(folder / "home"),
        "AIRNUB_STORE_URL": (folder / "store").as_uri(),
        "AIRNUB_DURABILITY": "none",
        "AIRNUB_PROJECT_ROOT": str(ROOT),
        "PREFECT_HOME": str(folder / "prefect"),
    }
    yield environment
    down = [sys.executable, "-m", "airnub_prefect_starter", "down"]
    subprocess.run(down, env=environment, check=True, capture_output=True)


@pytest.fixture
def pipeline(environment: dict[str, str], tmp_path: Path) -> Pipeline:
    """Run the pipeline from another folder."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PIPELINE), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run
