"""The compose stack, from nothing to stored data and back to nothing."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from dotenv import dotenv_values

from airnub_prefect_starter.control.probes import free_port
from tests.images.kit import ROOT, Builder, why_no_engine

EXAMPLE = ROOT / ".env.example"
SOURCES, OUTPUTS = 19, 7
# An engine's buildx may be too old for compose to build several images by it at once.
ENVIRONMENT = {**os.environ, "DOCKER_BUILDKIT": "1", "COMPOSE_BAKE": "false"}
ONE_SHOT = {"object-store-volume", "bootstrap", "airnub"}
ROOT_FOR_ITS_VOLUME = "object-store-volume"


@dataclass(frozen=True)
class Stack:
    """A compose project of its own: folder, names, ports and network."""

    folder: Path
    project: str
    variables: Path
    port: int

    def compose(
        self, *arguments: str, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        command = ["docker", "compose", "--project-name", self.project]
        command += ["--env-file", str(self.variables), *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    def airnub(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.compose("run", "--rm", "airnub", *arguments, check=check)

    def runs_in(self, *states: str) -> list[dict[str, Any]]:
        wanted = {"flow_runs": {"state": {"type": {"any_": states}}}}
        found: list[dict[str, Any]] = self.post("/flow_runs/filter", wanted).json()
        return found

    def post(self, path: str, body: dict[str, Any], *, login: bool = True) -> httpx.Response:
        user, _, password = (dotenv_values(self.variables)["SERVER_AUTH_STRING"] or "").partition(
            ":"
        )
        return httpx.post(
            f"http://127.0.0.1:{self.port}/api{path}",
            json=body,
            auth=(user, password) if login else None,
            timeout=30,
        )


@pytest.fixture(scope="module")
def stack(builder: Builder) -> Iterator[Stack]:
    port = free_port()
    variables = builder.context / "compose.env"
    variables.write_text(
        f"{EXAMPLE.read_text()}\nIMAGE_TAG={builder.name}\nSERVER_PORT={port}\n"
        f"OBJECT_STORE_PORT={free_port()}\nOBJECT_STORE_CONSOLE_PORT={free_port()}\n"
        # Of its own too: what an ended test run left behind may still hold another.
        f"NETWORK_SUBNET=10.213.{78 + port % 170}.0/24\n"
    )
    opened = Stack(builder.context, builder.name, variables, port)
    if opened.compose("version", check=False).returncode:
        pytest.skip("docker has no compose plugin")
    try:
        opened.compose("up", "--detach", "--build", "--wait", timeout=1200)
        yield opened
    except AssertionError as error:
        raise AssertionError(opened.compose("logs", "--tail=40").stdout) from error
    finally:
        opened.compose("down", "--volumes", "--remove-orphans", "--rmi=local")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    reason = why_no_engine()
    if reason:
        pytest.skip(reason)
    command = ["docker", "compose", "--env-file", str(EXAMPLE), "--profile=*", "config"]
    shown = subprocess.run(
        [*command, "--format=json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, dict[str, Any]] = json.loads(shown.stdout)["services"]
    return found


def test_no_name_in_the_example_is_a_setting_of_a_program_that_reads_dotenv() -> None:
    names = dotenv_values(EXAMPLE)

    assert not [name for name in names if name.startswith(("PREFECT_", "AIRNUB_", "AWS_"))]
    assert all(names.values())


def test_the_example_names_every_variable() -> None:
    used = re.findall(r"(?<!\$)\$\{(\w+)(:[-?])", (ROOT / "docker-compose.yml").read_text())
    required = {name for name, how in used if how == ":?"}

    assert required == set(dotenv_values(EXAMPLE))
    optional = {name for name, how in used if how == ":-"} - {"IMAGE_TAG"}
    assert all(f"\n#{name}=" in EXAMPLE.read_text() for name in optional)


def test_without_variables_it_says_what_to_do(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.env"
    empty.touch()

    refused = subprocess.run(
        ["docker", "compose", "--env-file", str(empty), "up", "--detach"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode != 0
    assert "copy .env.example to .env" in refused.stderr


def test_every_service_is_confined(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert service.get("user", "").startswith("0") is (name == ROOT_FOR_ITS_VOLUME), name
        assert bool(service.get("cap_add")) is (name == ROOT_FOR_ITS_VOLUME), name
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name


def test_every_service_that_stays_has_a_probe_and_a_limit(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in services.keys() - ONE_SHOT:
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["deploy"]["resources"]["limits"]["memory"], name


def test_the_api_asks_for_the_password(stack: Stack) -> None:
    assert stack.post("/flow_runs/filter", {}, login=False).status_code == 401
    assert stack.post("/flow_runs/filter", {}).status_code == 200


@pytest.fixture(scope="module")
def first(stack: Stack) -> str:
    """Run a department once; give what it printed."""
    return stack.airnub("run", "project_alpha").stdout


def test_a_department_runs_through_the_worker_then_nothing_is_left_to_do(
    stack: Stack, first: str
) -> None:
    assert len(re.findall(r" stored ", first)) == SOURCES + OUTPUTS
    assert re.search(r"^flight_data/flights +stored +80,789 +80,789 ", first, re.MULTILINE)

    again = stack.airnub("run", "project_alpha").stdout

    assert len(re.findall(r" not_modified ", again)) == SOURCES + OUTPUTS
    digests = re.compile(r"^(\S+/\S+) .* ([0-9a-f]{12})\b", re.MULTILINE)
    assert set(digests.findall(again)) == set(digests.findall(first))
    assert len(digests.findall(first)) == SOURCES + OUTPUTS


def test_what_is_exported_is_on_this_machine(stack: Stack, first: str) -> None:
    owner = f"{os.getuid()}:{os.getgid()}"
    reference = "ingestion.web_page_scraping/airlines"

    stack.compose(
        *("run", "--rm", "--user", owner, "airnub"),
        *("store", "get", reference, "-d", "project_alpha", "--output=data/airlines.html"),
    )

    exported = stack.folder / "data" / "airlines.html"
    assert exported.stat().st_uid == os.getuid()
    assert "<table" in exported.read_text()


def test_bootstrap_changes_nothing_the_second_time(stack: Stack) -> None:
    done = stack.compose("run", "--rm", "--no-deps", "bootstrap")

    assert "bucket is there" in done.stdout
    assert "0 changes" in done.stdout + done.stderr


def test_a_run_whose_worker_is_killed_is_crashed_and_can_be_run_again(stack: Stack) -> None:
    stack.compose("run", "--detach", "airnub", "run", "project_alpha", "ingestion")
    deadline = time.monotonic() + 60
    while len(stack.runs_in("RUNNING")) < 2:  # the stage and a category
        assert time.monotonic() < deadline
        time.sleep(0.2)

    stack.compose("kill", "worker")
    lost = {run["id"] for run in stack.runs_in("RUNNING")}
    stack.compose("up", "--detach", "--wait", "worker")

    crashed = {run["id"]: run["state"]["message"] for run in stack.runs_in("CRASHED")}
    assert lost
    assert lost <= crashed.keys()
    assert "Its worker ended before it did" in crashed[next(iter(lost))]
    assert stack.runs_in("RUNNING", "PENDING") == []
    assert stack.airnub("run", "project_alpha", "ingestion").stdout.count(" not_modified ") == 19
