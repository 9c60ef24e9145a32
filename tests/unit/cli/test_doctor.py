from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.kit import Project, require_one_line
from tests.unit.control.k8s.fake_tools import FakeTools


@pytest.fixture
def tools(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    fake = FakeTools(tmp_path / "bin")
    fake.install(monkeypatch)
    return fake


def test_what_was_never_started_is_named_with_its_fix(project: Project) -> None:
    done = project.run("doctor")

    assert done.code == 6
    (error,) = done.errors
    assert "checks failed: processes, api" in error
    lines = done.text.splitlines()
    gone = "server does not run; sources does not run; worker does not run"
    assert lines[0] == f"FAIL  processes       {gone}"
    assert lines[1].strip() == "airnub up"
    assert "ok    port            none is taken yet" in lines
    assert "FAIL  api             The embedded platform was never started" in lines
    assert "-     worker          skipped: it needs authentication" in lines


def test_findings_as_json(project: Project) -> None:
    done = project.run("doctor", "--json")

    assert done.code == 6
    found = {each["check"]: each for each in done.json["checks"]}
    assert found["api"] == {
        "check": "api",
        "state": "fail",
        "what": "The embedded platform was never started",
        "fixes": ["airnub up"],
    }
    assert found["variables"]["state"] == "skipped"
    error = json.loads(done.stderr.splitlines()[-1])
    assert (error["error"], error["exit_code"]) == ("PlatformError", 6)


def test_a_server_that_is_named(project: Project) -> None:
    project.environ(PREFECT_API_URL="http://127.0.0.1:9/api")

    done = project.run("doctor", "--json")

    found = {each["check"]: each for each in done.json["checks"]}
    assert done.code == 6
    assert "processes" not in found
    assert "http://127.0.0.1:9/api does not answer" in found["api"]["what"]
    assert found["api"]["fixes"] == ["Start the server, or correct PREFECT_API_URL"]


@pytest.mark.parametrize("option", ["--context", "--release", "--namespace"])
def test_options_of_a_cluster_are_for_a_cluster(project: Project, option: str) -> None:
    require_one_line(project.run("doctor", option, "x"), 3, "are for a cluster")


def test_a_cluster_that_does_not_answer(project: Project, tools: FakeTools) -> None:
    tools.fails("kubectl", "", "The connection to the server was refused")

    done = project.run("doctor", "--k8s", "--context", "far", "--json")

    assert done.code == 6
    found = {each["check"]: each["state"] for each in done.json["checks"]}
    assert found.pop("rendered files") == "fail"
    assert found.pop("cluster") == "fail"
    assert set(found.values()) == {"skipped"}
    assert all(call.startswith("kubectl --context far") for call in tools.calls)


def test_kubectl_is_needed(project: Project, tools: FakeTools) -> None:
    (tools.folder / "kubectl").unlink()

    require_one_line(project.run("doctor", "--k8s"), 6, "kubectl is not on the PATH")
