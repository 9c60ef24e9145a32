"""A cluster and a release as the tests see them: kubectl, helm, the Prefect API, the store."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx

from airnub_prefect_starter.control.probes import free_port

ROOT = Path(__file__).parents[3]
CONTEXT = "kind-airnub"
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

Found = TypeVar("Found")


def run(
    *command: str | Path,
    timeout: float = 120,
    check: bool = True,
    folder: Path = ROOT,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; a failure shows what it printed."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, cwd=folder, **options
    )
    if check and done.returncode != 0:
        shown = " ".join(map(str, command))
        raise AssertionError(
            f"{shown}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done


def airnub(*arguments: str, timeout: float = 600, check: bool = True) -> str:
    """Run the command line as a person would, and return what it printed on stdout."""
    program = Path(sys.executable).with_name("airnub")
    return run(program, *arguments, timeout=timeout, check=check).stdout


@dataclass(frozen=True)
class EmbeddedRun:
    """A run of a department on this machine, beside what runs elsewhere."""

    process: subprocess.Popen[bytes]
    log: Path
    store: Path

    def completed(self, timeout: float) -> str:
        """Wait until it has completed, and return what it printed."""
        code = self.process.wait(timeout)
        output = self.log.read_text()
        assert code == 0, output
        return output


@contextmanager
def embedded_run(department: str, folder: Path) -> Iterator[EmbeddedRun]:
    """Start a run of a department, with its platform and its store in the folder."""
    environ = {
        **clean_environment(),
        "AIRNUB_HOME": str(folder / "home"),
        "AIRNUB_STORE_URL": (folder / "store").as_uri(),
        "AIRNUB_DURABILITY": "none",
    }
    program = Path(sys.executable).with_name("airnub")
    log = folder / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "run", department], stdout=output, stderr=output, cwd=ROOT, env=environ
        )
    try:
        yield EmbeddedRun(process, log, folder / "store" / department)
    finally:
        # The run of a failed test may be on its way: interrupted, it ends what it has started.
        process.send_signal(signal.SIGINT)
        process.wait(60)
        run(program, "down", env=environ)


def kubectl(*arguments: str, timeout: float = 120, check: bool = True, stdin: str = "") -> str:
    """Run kubectl against the tests' cluster, and return what it printed."""
    done = run(
        "kubectl", "--context", CONTEXT, *arguments, timeout=timeout, check=check, input=stdin
    )
    return done.stdout if check else done.stdout + done.stderr


def helm(*arguments: str, timeout: float = 600, check: bool = True) -> str:
    """Run helm against the tests' cluster, and return what it printed."""
    done = run("helm", "--kube-context", CONTEXT, *arguments, timeout=timeout, check=check)
    return done.stdout + done.stderr


def skaffold_run(folder: Path = ROOT) -> None:
    """Build what changed in a checkout, and upgrade the release."""
    # Skaffold's own label would be another each time, and restart everything.
    label = {"SKAFFOLD_LABEL": "skaffold.dev/run-id=airnub"}
    environ = {**os.environ, **label}
    run("skaffold", "run", "--kube-context", CONTEXT, timeout=900, folder=folder, env=environ)


def get(*arguments: str) -> Any:
    """Read objects of the cluster as JSON."""
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def eventually(
    what: str, probe: Callable[[], Found | None], *, timeout: float, every: float = 1.0
) -> Found:
    """Ask again and again until there is a true answer."""
    end = time.monotonic() + timeout
    while not (found := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)
    return found


def secret(namespace: str, name: str) -> dict[str, str]:
    """Read a Secret's values."""
    data = get("secret", name, "-n", namespace)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@contextmanager
def port_forward(namespace: str, service: str, port: int) -> Iterator[int]:
    """Forward a free port of this machine to a Service for the time of the block."""
    local = free_port()
    where = ("--context", CONTEXT, "-n", namespace)
    with subprocess.Popen(
        ["kubectl", *where, "port-forward", f"svc/{service}", f"{local}:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "Forwarding" in process.stdout.readline(), f"no port-forward to {service}"
            yield local
        finally:
            process.terminate()


@dataclass(frozen=True)
class Release:
    """A release of the chart in the tests' cluster."""

    name: str = "airnub"
    namespace: str = "airnub"
    credentials: str = "airnub-api-auth"

    def department(self, department: str) -> str:
        """Name a department's namespace."""
        return f"{self.name}-dept-{department.replace('_', '-')}"

    @cached_property
    def auth(self) -> tuple[str, str]:
        """User and password of the API."""
        text = secret(self.namespace, self.credentials)["auth-string"]
        user, _, password = text.partition(":")
        return user, password

    @contextmanager
    def api(self) -> Iterator[Api]:
        """Open the Prefect API."""
        with (
            port_forward(self.namespace, f"{self.name}-server", 4200) as port,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}/api", auth=self.auth, timeout=30
            ) as client,
        ):
            yield Api(client)


@dataclass(frozen=True)
class Api:
    """The parts of Prefect's REST API that the tests use."""

    client: httpx.Client

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST and return the answer's JSON."""
        answer = self.client.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        """Send a GET and return the answer's JSON."""
        answer = self.client.get(path)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json()

    def deployment(self, name: str) -> Any:
        """Find a deployment by its own name, such as ``project_alpha.ingestion``."""
        found = self.post("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        assert len(found) == 1, f"{len(found)} deployments {name}"
        return found[0]

    def start(
        self,
        deployment: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        job_variables: Mapping[str, Any] | None = None,
    ) -> str:
        """Schedule a run for now and return its id."""
        body = {
            "state": {"type": "SCHEDULED"},
            "parameters": parameters or {},
            "job_variables": job_variables or {},
        }
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        return str(self.post(path, body)["id"])

    def run(self, run_id: str) -> Any:
        """Read a flow run."""
        return self.get(f"/flow_runs/{run_id}")

    def wait(self, run_id: str, *states: str, timeout: float = 180) -> Any:
        """Wait until a run's state has one of these types, or names; any other end is a failure."""

        def reached() -> Any:
            found = self.run(run_id)
            state = found["state"]
            if state["type"] in states or state["name"] in states:
                return found
            assert state["type"] not in TERMINAL, f"{state}\n{self.logs(run_id)}"
            return None

        return eventually(f"{run_id} is {states}", reached, timeout=timeout)

    def cancel(self, run_id: str) -> None:
        """Ask for a run's cancellation, as the UI's button does."""
        self.post(
            f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}, "force": False}
        )

    def task_runs(self, run_id: str) -> list[Any]:
        """List a run's task runs."""
        wanted = {"flow_runs": {"id": {"any_": [run_id]}}}
        found: list[Any] = self.post("/task_runs/filter", wanted)
        return found

    def logs(self, run_id: str) -> str:
        """Read a run's log."""
        wanted = {
            "logs": {"flow_run_id": {"any_": [run_id]}},
            "sort": "TIMESTAMP_ASC",
            "limit": 200,
        }
        return "\n".join(each["message"] for each in self.post("/logs/filter", wanted))

    def variable(self, name: str) -> Any:
        """Read a Variable's value."""
        return self.get(f"/variables/name/{name}")["value"]


def jobs_of(run_id: str) -> list[Any]:
    """List the Jobs of a flow run, in all namespaces."""
    found: list[Any] = get("jobs", "-A", "-l", f"prefect.io/flow-run-id={run_id}")["items"]
    return found


def pods_of(run_id: str) -> list[Any]:
    """List the pods of a flow run, in all namespaces."""
    found: list[Any] = get("pods", "-A", "-l", f"prefect.io/flow-run-id={run_id}")["items"]
    return found


def running_pods(run_id: str) -> list[Any]:
    """List those pods of a flow run that have not ended."""
    return [each for each in pods_of(run_id) if each["status"]["phase"] in {"Pending", "Running"}]


@contextmanager
def bucket(release: Release, department: str) -> Iterator[Any]:
    """Open the release's MinIO with a department's own key, as a boto3 client."""
    keys = secret(release.department(department), f"{release.name}-s3")
    with port_forward(release.namespace, f"{release.name}-object-store", 9000) as port:
        yield boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=keys["access-key-id"],
            aws_secret_access_key=keys["secret-access-key"],
        )


def stored(release: Release, department: str) -> dict[str, str]:
    """List a department's blobs, manifests and refs: key below its store → ETag."""
    found = {}
    root = f"store/{department}/"
    with bucket(release, department) as client:
        pages = client.get_paginator("list_objects_v2")
        for kind in ("blobs/", "manifests/", "refs/"):
            for page in pages.paginate(Bucket="airnub", Prefix=f"{root}{kind}"):
                for each in page.get("Contents", ()):
                    found[each["Key"].removeprefix(root)] = each["ETag"]
    return found


def clean_environment() -> dict[str, str]:
    """Give this process's environment without what would point at another platform."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_", "AWS_"))
    }
