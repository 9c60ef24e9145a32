from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airnub_prefect_starter.control.process_table import start_token
from tests.unit.cli.kit import Project, require_one_line
from tests.unit.control.k8s.fake_tools import FakeTools

NODE = {
    "metadata": {"name": "one"},
    "status": {
        "nodeInfo": {"kubeletVersion": "v1.34.4"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
WAITING = {
    "kind": "Pod",
    "metadata": {"name": "airnub-server-0"},
    "status": {
        "phase": "Pending",
        "containerStatuses": [
            {"restartCount": 2, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
        ],
    },
}
SERVER = {
    "kind": "Deployment",
    "metadata": {"name": "airnub-server"},
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {"containers": [{"image": f"localhost:5001/p:{'a' * 64}@sha256:{'b' * 64}"}]}
        },
    },
    "status": {},
}


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry that the fake Docker starts answers at once."""
    monkeypatch.setattr("airnub_prefect_starter.control.k8s.cluster.answers", lambda *_: True)


@pytest.fixture
def tools(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    fake = FakeTools(tmp_path / "bin")
    fake.install(monkeypatch)
    project.write("helm/airnub-prefect/values.yaml", "images: {}\n")
    project.write("helm/airnub-prefect/values-local.yaml", "")
    return fake


def cluster(tools: FakeTools, *own: dict[str, Any]) -> None:
    tools.gives("kubectl", "get deployments", *own)
    tools.gives("kubectl", "get nodes", NODE)


def test_up_names_each_missing_tool(project: Project, tools: FakeTools) -> None:
    (tools.folder / "kind").unlink()
    (tools.folder / "helm").unlink()

    done = project.run("k8s", "up")

    assert done.code == 6
    assert [line.partition(". ")[0] for line in done.errors] == [
        "error: kind is not on the PATH",
        "error: helm is not on the PATH",
    ]
    assert tools.calls == []


def test_up_from_nothing_without_a_run(project: Project, tools: FakeTools) -> None:
    tools.says("docker", "inspect --format", "{}")
    tools.does("skaffold", "run", "echo Deployed")

    done = project.run("k8s", "up", "--no-run")

    assert done.code == 0, done.stderr
    order = ["docker run", "kind create", "skaffold run"]
    assert [call[: len(name)] for call in tools.calls for name in order if name in call] == order
    assert "Deployed" in done.stderr
    forward = "kubectl --context kind-airnub port-forward --namespace airnub service/airnub-server"
    assert f"http://localhost:4200 while this runs: {forward} 4200" in done.text


def test_up_as_json(project: Project, tools: FakeTools) -> None:
    tools.says("docker", "inspect --format", "{}")

    done = project.run("k8s", "up", "--no-run", "--json")

    assert done.json == {"context": "kind-airnub", "ui": "http://localhost:4200", "runs": []}


def test_up_tells_what_failed(project: Project, tools: FakeTools) -> None:
    tools.says("docker", "inspect --format", "{}")
    tools.fails("skaffold", "run", "deployment/airnub-server failed")
    cluster(tools, WAITING)

    done = project.run("k8s", "up")

    assert (done.code, len(done.errors)) == (6, 1)
    assert "airnub-server failed | airnub-server-0: ImagePullBackOff" in done.errors[0]
    assert done.errors[0].endswith(
        "See `kubectl --context kind-airnub describe pods --namespace airnub`"
    )


@pytest.mark.parametrize(
    ("there", "arguments", "gone"),
    [
        (True, (), ["cluster", "registry"]),
        (True, ("--keep-registry",), ["cluster"]),
        (False, (), []),
    ],
    ids=["all", "registry kept", "nothing"],
)
def test_down(
    project: Project, tools: FakeTools, there: bool, arguments: tuple[str, ...], gone: list[str]
) -> None:
    tools.says("kind", "get clusters", "airnub" if there else "")
    tools.says("docker", "ps", "c0ffee" if there else "")

    done = project.run("k8s", "down", *arguments)
    facts = project.run("k8s", "down", *arguments, "--json")

    assert done.text == (
        f"deleted: {', '.join(gone)}\n" if gone else "there was nothing to delete\n"
    )
    assert [name for name, was in facts.json.items() if was] == gone


def test_status_of_what_is_not_ready(project: Project, tools: FakeTools) -> None:
    cluster(tools, SERVER, WAITING)

    done = project.run("k8s", "status")
    facts = project.run("k8s", "status", "--json")

    look = "kubectl --context kind-airnub describe pods --namespace airnub"
    assert (done.code, done.errors) == (
        6,
        [f"error: The release airnub of kind-airnub is not ready. See `{look}`"],
    )
    assert "ImagePullBackOff" in done.text
    assert f"p:{'a' * 28}" in done.text
    assert f"{'a' * 29}" not in done.text
    assert facts.code == 6
    assert facts.json["ready"] is False
    assert facts.json["runs"] == []
    assert facts.json["pods"][0]["restarts"] == 2


def test_status_asks_the_api_for_the_last_runs(project: Project, tools: FakeTools) -> None:
    cluster(tools, {**SERVER, "status": {"readyReplicas": 1}})
    files = {
        "client.yaml": "api_url: http://127.0.0.1:9/api\nstore_url: s3://a/b\n",
        "cluster.yaml": "s3: {region: r, secret_name: s}\n",
    }
    tools.gives("kubectl", "get configmaps", {"data": files})

    done = project.run("k8s", "status")

    # Nobody listens there: what else there is to know is shown all the same.
    assert (done.code, len(done.errors)) == (6, 1)
    assert "does not answer as an API" in done.errors[0]
    assert "airnub-server" in done.text


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (("--context", "work", "--release", "blue", "--namespace", "data"), {}),
        (
            (),
            {
                "AIRNUB_KUBE_CONTEXT": "work",
                "AIRNUB_RELEASE": "blue",
                "AIRNUB_RELEASE_NAMESPACE": "data",
            },
        ),
    ],
    ids=["options", "settings"],
)
@pytest.mark.parametrize(
    "command",
    [("k8s", "status"), ("run", "sample", "--on", "k8s"), ("k8s", "exec", "sample", "true")],
    ids=["status", "run", "exec"],
)
def test_another_release(
    project: Project,
    tools: FakeTools,
    command: tuple[str, ...],
    arguments: tuple[str, ...],
    environ: dict[str, str],
) -> None:
    project.environ(**environ)
    cluster(tools)
    tools.gives("kubectl", "get configmaps")

    # After the department, options are those of the program.
    done = project.run(*command[:2], *arguments, *command[2:])

    assert done.code == 6
    assert "release blue" in done.errors[0]
    assert "of work" in done.errors[0]
    assert all(call.startswith("kubectl --context work ") for call in tools.calls)
    assert any("--namespace data" in call for call in tools.calls)


def test_run_needs_the_cluster_for_its_options(project: Project, tools: FakeTools) -> None:
    require_one_line(project.run("run", "sample", "--context", "work"), 3, "Add --on k8s")


def test_run_on_a_cluster_needs_kubectl(project: Project, tools: FakeTools) -> None:
    (tools.folder / "kubectl").unlink()

    require_one_line(project.run("run", "sample", "--on", "k8s"), 6, "kubectl is not on the PATH")
    assert not (project.root / ".airnub").exists()


EXTERNAL = {
    "client.yaml": "api_url: https://api.example.com/api\nstore_url: s3://lake/team\n",
    "cluster.yaml": "s3: {region: r1, secret_name: keys}\n",
}
KEY = {"access-key-id": "aWQ=", "secret-access-key": "d29yZA=="}


@pytest.fixture
def external(tools: FakeTools) -> FakeTools:
    """A release whose API and store are outside the cluster."""
    tools.gives("kubectl", "get configmaps", {"data": EXTERNAL})
    tools.gives("kubectl", "get secrets", {"data": KEY})
    return tools


def test_a_program_gets_the_environment_and_gives_the_exit_code(
    project: Project, external: FakeTools
) -> None:
    project.environ(AWS_PROFILE="own", PREFECT_API_KEY="own")
    seen = project.root / "seen"

    done = project.run("k8s", "exec", "sample", "/bin/sh", "-c", f"set > {seen}; exit 9")

    assert done.code == 9
    text = seen.read_text().replace("'", "")
    assert "AIRNUB_STORE_URL=s3://lake/team\n" in text
    assert "AWS_SECRET_ACCESS_KEY=word\n" in text
    assert "PREFECT_API_URL=https://api.example.com/api\n" in text
    assert "=own\n" not in text
    assert "word" not in done.text + done.stderr


def test_a_program_that_is_not_there(project: Project, external: FakeTools) -> None:
    done = project.run("k8s", "exec", "--json", "sample", "no-such-program")

    (error,) = [each for each in done.stderr.splitlines() if each.startswith("{")]
    assert done.code == 6
    assert "no-such-program cannot be started" in json.loads(error)["message"]


def test_a_program_of_this_projects_interpreter_is_found(
    project: Project, external: FakeTools
) -> None:
    seen = project.root / "seen"

    done = project.run("k8s", "exec", "sample", "python", "-c", f"open({str(seen)!r}, 'w')")

    assert done.code == 0
    assert seen.exists()


def test_sigterm_leaves_no_forwarded_port_behind(project: Project, external: FakeTools) -> None:
    client = "api_url: http://s.n.svc:4200/api\nstore_url: s3://lake/team\n"
    external.gives("kubectl", "get configmaps", {"data": {**EXTERNAL, "client.yaml": client}})
    listening = "echo 'Forwarding from 127.0.0.1:4242 -> 4200'"
    external.does("kubectl", "port-forward", f"echo $$ > port; {listening}; exec /bin/sleep 60")
    begun = project.root / "begun"
    script = f"echo $$ > {begun}; exec /bin/sleep 60"
    code = "from airnub_prefect_starter.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "k8s", "exec", "sample", "/bin/sh", "-c", script],
        env=os.environ,
    )
    deadline = time.monotonic() + 30
    while not (begun.exists() and begun.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == 128 + signal.SIGTERM
    for file in (external.folder / "port", begun):
        assert start_token(int(file.read_text())) is None


def test_status_without_a_right_to_nodes(project: Project, tools: FakeTools) -> None:
    cluster(tools, SERVER)
    tools.fails("kubectl", "get nodes", "Error from server (Forbidden): nodes is forbidden")

    done = project.run("k8s", "status")
    facts = project.run("k8s", "status", "--json")

    assert "you may not list them" in done.text
    assert "airnub-server" in done.text
    assert facts.json["nodes"] is None
