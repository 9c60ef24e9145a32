"""`airnub deploy` and `airnub config`, and the flow that reports drift, on a real platform."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.integration.flows.kit import ON_DISK, airnub, api

pytestmark = ON_DISK
VARIABLE = "dept_project_beta_ingestion_config"
EXTRA = {"tags": ["airnub", "department:gone"], "enforce_parameter_schema": False}


def patch(environment: Mapping[str, str], path: str, **body: Any) -> None:
    api(environment, path, "PATCH", **body)


def deployment(environment: dict[str, str], name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = api(environment, "/deployments/filter")
    return next(each for each in found if each["name"] == name)


@pytest.fixture
def drifted(registered: dict[str, str]) -> dict[str, str]:
    """Change a Variable and a schedule, and leave a deployment of a department that is gone."""
    (variable,) = api(registered, "/variables/filter", variables={"name": {"any_": [VARIABLE]}})
    patch(registered, f"/variables/{variable['id']}", value={"reference_files": {}})
    stage = deployment(registered, "project_beta.ingestion")
    patch(
        registered,
        f"/deployments/{stage['id']}/schedules/{stage['schedules'][0]['id']}",
        active=True,
    )
    api(registered, "/deployments/", name="gone.stage", flow_id=stage["flow_id"], **EXTRA)
    return registered


def test_drift_is_shown_put_right_and_pruned(drifted: dict[str, str]) -> None:
    config, deploy = airnub(drifted, "config", "drift"), airnub(drifted, "deploy", "plan")
    as_data = json.loads(airnub(drifted, "deploy", "plan", "--json").stdout)
    other = airnub(drifted, "deploy", "plan", "--department", "project_alpha")

    assert (config.returncode, deploy.returncode, other.returncode) == (4, 4, 0)
    assert f"~ changed variable {VARIABLE}" in config.stdout
    assert "value.reference_files.files: " in config.stdout
    assert "Drift: 0 missing, 1 changed, 0 extra" in config.stdout
    assert "    schedules[30 5 * * 1-5].active: true → false" in deploy.stdout
    assert "- destroy deployment Ingestion Flow (Project Beta)/gone.stage" in deploy.stdout
    assert "Plan: 0 to create, 1 to update, 1 to destroy" in deploy.stdout
    assert [(each["action"], each["owners"]) for each in as_data["changes"]] == [
        ("update", ["project_beta"]),
        ("delete", ["gone"]),
    ]

    applied = airnub(drifted, "deploy", "apply")
    refused = airnub(drifted, "deploy", "prune")
    kept = airnub(drifted, "deploy", "prune", "--yes", "-d", "project_beta")
    pruned = airnub(drifted, "deploy", "prune", "--yes")
    mended = airnub(drifted, "config", "apply")

    assert "1 changes (0 created, 1 updated, 0 deleted)" in applied.stdout
    assert "1 to destroy: run `airnub deploy prune`" in applied.stdout
    assert (refused.returncode, "Add --yes" in refused.stderr) == (3, True)
    assert "0 changes" in kept.stdout
    assert "1 changes (0 created, 0 updated, 1 deleted)" in pruned.stdout
    assert mended.returncode == 0
    for verb in ("config plan", "config drift", "deploy plan", "deploy drift"):
        assert airnub(drifted, *verb.split()).returncode == 0


def test_a_removed_department_is_pruned_alone_and_an_unknown_one_is_named(
    drifted: dict[str, str],
) -> None:
    planned = airnub(drifted, "deploy", "plan", "-d", "gone")
    pruned = airnub(drifted, "deploy", "prune", "--yes", "-d", "gone")
    again = airnub(drifted, "deploy", "prune", "--yes", "-d", "gone")
    misspelt = airnub(drifted, "config", "apply", "-d", "project_bete")

    assert "Plan: 0 to create, 0 to update, 1 to destroy, 0 unchanged" in planned.stdout
    assert "1 changes (0 created, 0 updated, 1 deleted)" in pruned.stdout
    assert (again.returncode, misspelt.returncode) == (5, 5)
    assert "Did you mean 'project_beta'?" in misspelt.stderr


def test_the_configuration_of_a_department_is_applied_alone(drifted: dict[str, str]) -> None:
    other = airnub(drifted, "config", "apply", "-d", "project_alpha")
    mended = airnub(drifted, "config", "apply", "-d", "project_beta")

    assert "0 changes" in other.stdout
    assert "1 changes (0 created, 1 updated, 0 deleted)" in mended.stdout
    assert airnub(drifted, "config", "plan").returncode == 0


def until(found: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + 30
    while not (listed := found()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return listed


def events(environment: dict[str, str]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = api(
        environment, "/events/filter", filter={"event": {"name": ["airnub.drift.found"]}}
    )["events"]
    return listed


def test_the_flow_reports_drift_and_completes_with_and_without(drifted: dict[str, str]) -> None:
    (with_drift,) = json.loads(airnub(drifted, "run", "generic", "report_drift", "--json").stdout)
    (event,) = until(lambda: events(drifted))
    assert airnub(drifted, "bootstrap").returncode == 0
    (without,) = json.loads(airnub(drifted, "run", "generic", "report_drift", "--json").stdout)
    artifacts = api(
        drifted, "/artifacts/filter", artifacts={"key": {"any_": ["generic-report-drift"]}}
    )
    texts = {each["flow_run_id"]: each["data"] for each in artifacts}

    assert (with_drift["state"], without["state"]) == ("Completed", "Completed")
    assert with_drift["message"].startswith("Drift: 0 missing, 2 changed, 1 extra, ")
    assert without["message"].startswith("Drift: 0 missing, 0 changed, 0 extra, ")
    related = {each["prefect.resource.id"] for each in event["related"]}
    assert {"airnub.department.project_beta", "airnub.department.gone"} <= related
    assert f"~ changed variable {VARIABLE}" in event["payload"]["differences"]
    assert f"variable {VARIABLE}".replace("_", "\\_") in texts[with_drift["flow_run_id"]]
    assert "0 changed" in texts[without["flow_run_id"]]
    assert len(events(drifted)) == 1
