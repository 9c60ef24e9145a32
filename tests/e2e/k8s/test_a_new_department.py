"""A department made by the command line runs on the cluster; what differs is shown and undone."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import blob_key, ref_key
from tests.e2e.k8s.kit import ROOT, Api, Release, bucket, get, jobs_of, kubectl, run, skaffold_run

NEW = "field_surveys"
DAILY = "project_beta/ingestion/daily_flights"
DIFFERENCES = 4


class Clone:
    """A clone of the project whose own code its own command line runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run("git", "clone", "--quiet", ROOT, folder)

    def git(self, *arguments: str) -> None:
        """Run git in the clone, as somebody."""
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        run("git", *who, *arguments, folder=self.folder)

    def airnub(self, *arguments: str, code: int = 0, timeout: float = 600) -> str:
        """Run the clone's command line; it must exit with this code."""
        path = os.pathsep.join([str(self.folder / "src"), str(self.folder)])
        done = run(
            sys.executable, "-m", "airnub_prefect_starter", *arguments,
            timeout=timeout, check=False, folder=self.folder,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == code, (
            f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def changes(self, *arguments: str, code: int = 0) -> list[tuple[str, str, str]]:
        """Run a command that compares, and give action, kind and name of what it found."""
        found = json.loads(self.airnub(*arguments, "--on", "k8s", "--json", code=code))
        return [(each["action"], each["kind"], each["name"]) for each in found["changes"]]


@pytest.fixture(scope="module")
def clone(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    yield Clone(tmp_path_factory.mktemp("new") / "clone")
    # Back to what is committed here: the new department goes, with its namespace.
    skaffold_run()


@pytest.fixture(scope="module")
def department(clone: Clone) -> Clone:
    """Add a department with two categories, and install it: the README's commands."""
    clone.airnub("add", "department", NEW, "--display-name", "Field Surveys", "--yes")
    clone.airnub("add", "category", NEW, "ingestion", "stations", "--like", "api", "--yes")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "Add Field Surveys")
    clone.airnub("add", "category", NEW, "ingestion", "readings", "--like", "database", "--yes")
    assert "written" not in clone.airnub("render")
    skaffold_run(clone.folder)
    return clone


def test_a_new_department_runs_as_a_job_in_its_own_namespace(
    release: Release, department: Clone
) -> None:
    output = json.loads(department.airnub("run", NEW, "--on", "k8s", "--json"))

    assert [each["state"] for each in output] == ["Completed"]
    [job] = jobs_of(output[0]["flow_run_id"])
    assert job["metadata"]["namespace"] == release.department(NEW)
    assert job["metadata"]["labels"]["airnub.io/department"] == NEW
    assert get("resourcequota", "-n", release.department(NEW))["items"]
    refs = department.airnub("k8s", "exec", NEW, "airnub", "store", "ls", "-d", NEW)
    assert "ingestion.stations/" in refs
    assert "ingestion.readings/" in refs


def test_an_installed_release_has_no_drift(department: Clone) -> None:
    assert department.changes("config", "drift") == []
    assert department.changes("deploy", "plan") == []


def test_an_edit_on_the_server_is_drift_and_is_undone(department: Clone, api: Api) -> None:
    name = f"dept_{NEW}_ingestion_config"
    value = api.variable(name)
    edited = {**value, "stations": {}}
    found = api.client.patch(f"/variables/name/{name}", json={"value": edited})
    assert found.is_success

    assert department.changes("config", "drift", code=DIFFERENCES) == [("update", "variable", name)]
    department.airnub("config", "apply", "--on", "k8s")

    assert api.variable(name) == value
    assert department.changes("config", "drift") == []


def test_the_scheduled_report_of_drift_runs_as_a_job_of_the_release(
    release: Release, department: Clone, api: Api
) -> None:
    run_id = api.start("generic.report_drift")

    api.wait(run_id, "COMPLETED")

    [job] = jobs_of(run_id)
    assert job["metadata"]["namespace"] == release.namespace
    artifacts = api.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run_id]}}})
    assert len(artifacts) == 1


def test_a_removed_category_is_shown_and_pruned(department: Clone, api: Api) -> None:
    department.git("checkout", "--quiet", ".")
    department.git("clean", "--quiet", "--force", "-d")
    gone = f"{NEW}.ingestion.readings"

    planned = department.changes("deploy", "plan", "--department", NEW, code=DIFFERENCES)
    assert [each for each in planned if each[0] == "delete"] == [
        ("delete", "deployment", f"Ingest Readings Flow (Field Surveys)/{gone}")
    ]
    department.airnub("deploy", "prune", "--department", NEW, "--yes", "--on", "k8s")

    found = api.post("/deployments/filter", {"deployments": {"name": {"any_": [gone]}}})
    assert found == []
    assert api.deployment(f"{NEW}.ingestion.stations")


def test_a_backfill_runs_the_dates_whose_data_is_gone(release: Release, department: Clone) -> None:
    span = ("--from", "2013-01-01", "--to", "2013-01-03", "--on", "k8s", "--json")
    backfill = ("backfill", DAILY, *span)
    department.airnub(*backfill)
    assert dates(department.airnub(*backfill, "--dry-run")) == []

    delete_data(release, "2013-01-02")

    assert dates(department.airnub(*backfill, "--dry-run")) == ["2013-01-02"]
    department.airnub(*backfill)
    assert dates(department.airnub(*backfill, "--dry-run")) == []


def dates(output: str) -> list[str]:
    return [each["date"] for each in json.loads(output)["runs"]]


def delete_data(release: Release, date: str) -> None:
    """Delete the bytes of one day's flights; their manifest and ref stay."""
    root = "store/project_beta/"
    with bucket(release, "project_beta") as client:
        name = root + ref_key("ingestion.daily_flights", f"flights-{date}")
        ref = json.loads(client.get_object(Bucket="airnub", Key=name)["Body"].read())
        client.delete_object(Bucket="airnub", Key=root + blob_key(Digest(ref["blob"]["digest"])))


def test_kubectl_finds_the_new_department_by_its_label(department: Clone) -> None:
    found = kubectl("get", "jobs", "-A", "-l", f"airnub.io/department={NEW}", "-o", "name")
    assert found.strip()
