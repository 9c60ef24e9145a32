"""docs/kubectl.md: every command in it works as it stands there."""

import os
import re

import pytest

from tests.e2e.k8s.kit import ROOT, Api, Release, kubectl, run

TEXT = (ROOT / "docs" / "kubectl.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.+?)\n```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def run_id(release: Release) -> str:
    with release.api() as api:
        found = api.start("project_beta.ingestion")
        api.wait(found, "COMPLETED")
    return found


@pytest.fixture(scope="module")
def environ(
    release: Release, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What the document asks to set, and kubectl's context in a file of its own."""
    config = tmp_path_factory.mktemp("kubectl") / "config"
    config.write_text(kubectl("config", "view", "--raw", "--minify"))
    return {
        **os.environ,
        "KUBECONFIG": str(config),
        "RELEASE": release.name,
        "NAMESPACE": release.namespace,
        "DEPARTMENT": "project_beta",
        "RUN": run_id,
    }


def test_there_are_a_dozen() -> None:
    assert len(COMMANDS) >= 12


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_prints_something(command: str, environ: dict[str, str]) -> None:
    done = run("bash", "-c", command, env=environ)

    assert done.stdout.strip()
    assert "No resources found" not in done.stderr


def test_what_runs_is_answered_as_promised(environ: dict[str, str], run_id: str) -> None:
    found = run("bash", "-c", COMMANDS[0], env=environ).stdout

    line = next((each for each in found.splitlines() if run_id in each), None)
    assert line is None or "ingestion" in line.split()  # the last command has deleted the Job
    assert {"STAGE", "CATEGORY", "FLOW-RUN-ID"} <= set(found.splitlines()[0].split())


def test_a_deleted_job_s_run_is_not_left_running(api: Api) -> None:
    run_id = api.start("project_alpha.ingestion")
    api.wait(run_id, "RUNNING")

    kubectl("delete", "jobs", "-A", "-l", f"prefect.io/flow-run-id={run_id}", "--wait=false")

    api.wait(run_id, "COMPLETED", "CRASHED", timeout=240)
