"""What is registered, how runs go on and what they publish: the same for every store.

On disk only; what depends on the store is in ``test_departments.py``.
"""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.departments import load_catalog
from tests.integration.flows.kit import ON_DISK, ROOT, TIMEOUT_S, airnub, api

pytestmark = ON_DISK


def test_a_second_bootstrap_changes_nothing(registered: dict[str, str]) -> None:
    done = airnub(registered, "bootstrap", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changes"] == []


def test_every_flow_of_the_departments_has_a_deployment(
    registered: dict[str, str], settings: Settings
) -> None:
    catalog = load_catalog(settings)

    found = {each["name"] for each in api(registered, "/deployments/filter")}

    expected = {stage.deployment for stage in catalog.stages}
    expected |= {category.deployment for category in catalog.categories}
    assert found == expected | {"generic.report_drift"}


def test_plain_prefect_deploys_the_rendered_file(registered: dict[str, str]) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "prefect", "--no-prompt", "deploy"),
            *("--prefect-file", "prefect.local.yaml", "--all"),
        ],
        cwd=ROOT,
        env=registered,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    # What it changes is only how it says the same: the next bootstrap may put it back, once.
    assert airnub(registered, "bootstrap").returncode == 0
    assert airnub(registered, "bootstrap", "--check").returncode == 0


def test_categories_run_at_the_same_time(
    first_run: list[dict[str, Any]], registered: dict[str, str]
) -> None:
    ingestion = first_run[0]["flow_run_id"]
    runs = api(
        registered,
        "/flow_runs/filter",
        flow_runs={"parent_flow_run_id": {"any_": [ingestion]}},
    )
    spans = [
        (datetime.fromisoformat(r["start_time"]), datetime.fromisoformat(r["end_time"]))
        for r in runs
    ]

    assert len(spans) == 3
    assert max(start for start, _ in spans) < min(end for _, end in spans)


def test_artifacts_are_published_by_each_flow(
    first_run: list[dict[str, Any]], registered: dict[str, str]
) -> None:
    found = api(registered, "/artifacts/latest/filter")
    by_key = {each["key"]: each["data"] for each in found}

    assert "**13 of 13" not in by_key["project-alpha-ingestion"]
    assert "flights-2013-01" in by_key["project-alpha-ingestion-scheduled-file-downloads"]
    assert "reconcile" in by_key["project-alpha-processing-flight-data"]
    assert "data:image/png" in by_key["project-alpha-analysis-flight-summary-flight-summary"]


def test_a_flow_file_runs_without_a_server_on_the_yaml_files(
    environment: dict[str, str], tmp_path: Path
) -> None:
    alone = {
        name: value
        for name, value in environment.items()
        if not name.startswith("PREFECT_") or name.startswith("PREFECT_LOGGING")
    }
    alone |= {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "AIRNUB_STORE_URL": (tmp_path / "store").as_uri(),
    }
    file = "flows/dept_project_beta/ingestion_flow_dept_project_beta.py"

    done = subprocess.run(
        [sys.executable, file], cwd=ROOT, env=alone, capture_output=True, timeout=200, check=False
    )

    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert list((tmp_path / "store" / "project_beta" / "refs").rglob("airlines.json"))
