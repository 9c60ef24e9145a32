"""What the tests of the departments share: the stores, the command line, the API."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from airnub_prefect_starter.core.manifest_models import RunReport
from airnub_prefect_starter.core.store import Store

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 240

# Each has a platform of its own, which may be on another worker (see the conftest above).
ON_DISK = pytest.mark.parametrize("store_root", ["disk"], indirect=True)
ON_EVERY_STORE = pytest.mark.parametrize("store_root", ["disk", "minio"], indirect=True)


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


def api(environment: dict[str, str], path: str, **body: Any) -> Any:
    answer = requests.post(f"{environment['PREFECT_API_URL']}{path}", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def reports(store: Store) -> dict[str, RunReport]:
    return {report.run_id: report for report in store.reports()}
