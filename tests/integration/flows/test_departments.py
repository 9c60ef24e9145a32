"""Departments as a user runs them: registered, run, unchanged, broken, without a server."""

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.manifest_models import DerivedManifest, RunReport
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.verify import verify

ROOT = Path(__file__).parents[3]
SOURCES = 19
TABLES = 6
TIMEOUT_S = 240


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


def tree(store_folder: Path) -> dict[str, int]:
    """List the objects that an unchanged run must not touch, with their times of change."""
    kept = ("blobs", "manifests", "refs", "pins")
    return {
        str(path.relative_to(store_folder)): path.stat().st_mtime_ns
        for name in kept
        for path in (store_folder / name).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def registered(environment: dict[str, str]) -> dict[str, str]:
    done = airnub(environment, "bootstrap")
    assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture(scope="module")
def first_run(registered: dict[str, str]) -> list[dict[str, Any]]:
    """Run the whole department once, as `make demo` does."""
    done = airnub(registered, "run", "project_alpha", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    summaries: list[dict[str, Any]] = json.loads(done.stdout)
    return summaries


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
    assert found == expected | {category.deployment for category in catalog.categories}


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


def test_the_stages_run_one_after_the_other_by_their_automations(
    first_run: list[dict[str, Any]],
) -> None:
    assert [summary["state"] for summary in first_run] == ["Completed"] * 3


def test_the_first_run_stores_every_source_and_recovers_the_flaky_one(
    first_run: list[dict[str, Any]], alpha: Store
) -> None:
    results = {
        (result.namespace, result.source_id): result
        for report in reports(alpha).values()
        for result in report.results
        if result.outcome != "not_modified"
    }

    assert len(results) == SOURCES
    flaky = results["ingestion.scheduled_file_downloads", "airports"]
    assert flaky.attempts == 3  # refused, cut off halfway, resumed
    assert flaky.blob.digest.endswith(
        "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148"
    )


def test_rows_are_accounted_for_and_traceable(
    first_run: list[dict[str, Any]], alpha: Store
) -> None:
    derived = {
        manifest.source_id: manifest
        for _, manifest in alpha.manifests()
        if isinstance(manifest, DerivedManifest) and manifest.rows
    }

    assert len(derived) >= TABLES
    assert all(manifest.rows and manifest.rows.reconciles() for manifest in derived.values())
    weather = derived["weather"].rows
    assert weather is not None
    assert (weather.rows_in, weather.rejected) == (26_115, 1)  # the gust of 1,048 mph
    assert not verify(alpha, level="deep").violations


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


def test_task_results_are_in_the_departments_store(
    first_run: list[dict[str, Any]], settings: Settings
) -> None:
    folder = Path(settings.store_url.removeprefix("file://")) / "project_alpha" / "results"

    assert any(path.is_file() for path in folder.rglob("*"))


def test_no_secret_is_in_the_store_the_variables_or_the_logs(
    first_run: list[dict[str, Any]], registered: dict[str, str], settings: Settings
) -> None:
    token = registered["SOURCES_TOKEN"].encode()
    folder = Path(settings.store_url.removeprefix("file://"))
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts += [path.read_bytes() for path in (settings.home / "logs").iterdir()]
    texts.append(json.dumps(api(registered, "/variables/filter")).encode())
    texts.append(json.dumps(api(registered, "/logs/filter")).encode())

    assert not any(token in text for text in texts)


def test_a_second_run_writes_nothing_but_its_reports(
    first_run: list[dict[str, Any]], registered: dict[str, str], settings: Settings, alpha: Store
) -> None:
    folder = Path(settings.store_url.removeprefix("file://")) / "project_alpha"
    before, known = tree(folder), set(reports(alpha))

    done = airnub(registered, "run", "project_alpha", "--json")

    assert done.returncode == 0, done.stderr[-3000:]
    assert tree(folder) == before
    new = [report for run_id, report in reports(alpha).items() if run_id not in known]
    outcomes = Counter(result.outcome for report in new for result in report.results)
    outcomes.update(result.outcome for report in new for result in report.derived)
    assert set(outcomes) == {"not_modified"}
    assert sum(result.bytes_in for report in new for result in report.results) == 0


def test_a_failed_source_fails_the_run_by_name_and_the_others_are_kept(
    first_run: list[dict[str, Any]], registered: dict[str, str], alpha: Store
) -> None:
    known = set(reports(alpha))
    sources = registered["SOURCES_URL"]
    requests.post(f"{sources}/control/break?path=/files/weather.csv", timeout=10).raise_for_status()
    try:
        done = airnub(registered, "run", "project_alpha", "ingestion", "--json")
    finally:
        requests.post(f"{sources}/control/heal", timeout=10).raise_for_status()

    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["state"] == "Failed"
    assert "weather: SourceUnavailableError" in done.stderr
    new = [report for run_id, report in reports(alpha).items() if run_id not in known]
    failures = [failure for report in new for failure in report.failures]
    assert [(each.source_id, each.error) for each in failures] == [
        ("weather", "SourceUnavailableError")
    ]
    assert sum(len(report.results) for report in new) == SOURCES - 1


def test_a_change_for_one_run_reaches_the_flow(registered: dict[str, str]) -> None:
    wrong = "files.0.expected_digest=sha256:" + "0" * 64

    done = airnub(
        registered, "run", "project_beta", "ingestion/reference_files", "--set", wrong, "--json"
    )

    assert done.returncode == 1
    assert "DigestMismatchError" in done.stderr


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
