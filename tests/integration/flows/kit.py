"""What the tests of the departments share: the stores, the command line, the API."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.environment import Layout, child_environment, read_state
from airnub_prefect_starter.core.manifest_models import RunReport
from airnub_prefect_starter.core.store import Store

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 240

# Each has a platform of its own, which may be on another worker (see the conftest above).
ON_DISK = pytest.mark.parametrize("store_root", ["disk"], indirect=True)
ON_EVERY_STORE = pytest.mark.parametrize("store_root", ["disk", "minio"], indirect=True)


@contextmanager
def platform_of(project: Path, home: Path, **environ: str) -> Iterator[dict[str, str]]:
    """Run a platform of its own for a project, and give its environment."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_"))
    }
    settings = load_settings(
        {**clean, **environ, "AIRNUB_PROJECT_ROOT": str(project), "AIRNUB_HOME": str(home)}
    )
    try:
        platform.up(settings)
        state = read_state(Layout(settings.home))
        assert state is not None
        yield child_environment(settings, state)
    finally:
        platform.down(settings)


def airnub(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "airnub_prefect_starter", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def api(environment: Mapping[str, str], path: str, method: str = "POST", /, **body: Any) -> Any:
    with requests.Session() as session:
        # Of two writes at once the server on SQLite answers one with 503; Prefect's client repeats.
        busy = Retry(total=6, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
        session.mount("http://", HTTPAdapter(max_retries=busy))
        url = f"{environment['PREFECT_API_URL']}{path}"
        answer = session.request(method, url, json=body, timeout=30)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def reports(store: Store) -> dict[str, RunReport]:
    return {report.run_id: report for report in store.reports()}
