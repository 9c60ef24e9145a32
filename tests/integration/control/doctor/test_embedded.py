"""Everything on the embedded platform is broken once; the doctor names it, and how to mend it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitUpdate,
    VariableUpdate,
    WorkPoolUpdate,
)
from prefect.client.schemas.objects import State
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.states import Pending, Running, Scheduled

from airnub_prefect_starter.common.names import MANAGED_TAG
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.doctor import examination, platforms
from airnub_prefect_starter.control.doctor.context import Context, Server, Thresholds
from airnub_prefect_starter.control.doctor.findings import Finding, examine
from airnub_prefect_starter.control.environment import Layout, PlatformState, child_environment
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.control.process_table import start_token
from airnub_prefect_starter.control.processes import ManagedProcess
from airnub_prefect_starter.control.render import render_files
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.store import open_store
from tests.integration.control.conftest import PROJECT
from tests.integration.control.doctor.kit import Front, in_front_of

DEPARTMENT = "project_beta"
INGESTION = "Ingestion Flow (Project Beta)/project_beta.ingestion"
TOKEN = "BETA_TOKEN"  # noqa: S105 - the variable's name

Doctor = Callable[..., dict[str, Finding]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project of the small department alone, with a secret and a limit."""
    root = tmp_path_factory.mktemp("beta")
    shutil.copytree(PROJECT / "flows", root / "flows", symlinks=True)
    variables = Path("configs", "variables", f"dept_{DEPARTMENT}")
    shutil.copytree(PROJECT / variables, root / variables)
    (root / "configs" / "department_mapping.yaml").write_text(f"{DEPARTMENT}: Project Beta\n")
    (root / "configs" / "departments").mkdir()
    text = (PROJECT / "configs" / "departments" / f"{DEPARTMENT}.yaml").read_text()
    (root / "configs" / "departments" / f"{DEPARTMENT}.yaml").write_text(
        f"{text}\nsecrets: {{beta-token: {TOKEN}}}\nlimits: {{beta: 2}}\n"
    )
    return root


@pytest.fixture
def mine(root: Path, settings: Settings, state: PlatformState) -> Settings:
    """Give the settings of that project on the tests' platform."""
    given = {
        **settings.environment,
        "AIRNUB_PROJECT_ROOT": str(root),
        "AIRNUB_HOME": str(settings.home),
        "AIRNUB_STORE_URL": (root / "store").as_uri(),
        "AIRNUB_DURABILITY": "none",
        TOKEN: "hush",
    }
    return load_settings(given)


@pytest.fixture
def register(
    mine: Settings, state: PlatformState, client: SyncPrefectClient
) -> Callable[..., None]:
    """Give what registers everything, or some kinds, again."""

    def bring(*kinds: str) -> None:
        there = load_settings(child_environment(mine, state))
        desired = desired_state(load_catalog(mine), there)
        bootstrap(desired, settings=mine, on_progress=platform.quiet, kinds=kinds or None)

    return bring


@pytest.fixture
def doctor(mine: Settings) -> Doctor:
    """Give the doctor for some checks, or all."""

    def carry_out(*names: str, thresholds: Thresholds | None = None) -> dict[str, Finding]:
        context = Context(
            mine, load_catalog(mine), platforms.embedded(), thresholds or Thresholds()
        )
        checks = [each for each in examination.EMBEDDED if each.name in names]
        return examine(checks, context).findings

    return carry_out


def test_a_healthy_platform(
    mine: Settings, state: PlatformState, register: Callable[..., None], root: Path
) -> None:
    register()
    open_store(f"{mine.store_url}/{DEPARTMENT}", durability="none")
    for path, text in render_files(load_catalog(mine)).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    environ = {name: value for name, value in mine.environment.items() if "PREFECT" not in name}

    done = subprocess.run(
        [sys.executable, "-m", "airnub_prefect_starter", "doctor", "--json"],
        env=environ,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = {each["check"]: each for each in json.loads(done.stdout)["checks"]}
    assert list(found) == [each.name for each in examination.EMBEDDED]
    wrong = {name: each for name, each in found.items() if each["state"] != "ok"}
    assert set(wrong) <= {"disk"}, wrong
    assert not [name for name, each in wrong.items() if each["state"] == "fail"]


def pause_pool(client: SyncPrefectClient) -> None:
    client.update_work_pool("airnub", WorkPoolUpdate(is_paused=True))


def pause_queue(client: SyncPrefectClient) -> None:
    path = {"work_pool_name": "airnub", "name": DEPARTMENT}
    client.request(
        "PATCH",
        "/work_pools/{work_pool_name}/queues/{name}",
        path_params=path,
        json={"is_paused": True},
    )


def edit_pool(client: SyncPrefectClient) -> None:
    client.update_work_pool("airnub", WorkPoolUpdate(concurrency_limit=1))


def edit_variable(client: SyncPrefectClient) -> None:
    name = f"dept_{DEPARTMENT}_ingestion_config"
    client.update_variable(VariableUpdate(name=name, value={"a": 1}))


def delete_block(client: SyncPrefectClient) -> None:
    block = client.read_block_document_by_name("project-beta", "content-store")
    client.delete_block_document(block.id)


def delete_secret(client: SyncPrefectClient) -> None:
    block = client.read_block_document_by_name("project-beta-beta-token", "secret")
    client.delete_block_document(block.id)


def edit_limit(client: SyncPrefectClient) -> None:
    client.update_global_concurrency_limit(
        f"{DEPARTMENT}.beta", GlobalConcurrencyLimitUpdate(limit=99)
    )


def add_automation(client: SyncPrefectClient) -> None:
    trigger = EventTrigger(expect={"nothing.of.the.kind"}, posture=Posture.Reactive, threshold=1)
    automation = AutomationCore(
        name="stray", trigger=trigger, actions=[DoNothing()], tags=[MANAGED_TAG]
    )
    client.create_automation(automation)


def delete_deployment(client: SyncPrefectClient) -> None:
    client.delete_deployment(read_deployments(client)[INGESTION].id)


class Case(NamedTuple):
    """One thing that is broken: the check, the act, the reconciler's kind, and what is told."""

    name: str
    act: Callable[[SyncPrefectClient], object]
    kind: str
    what: str


CASES = (
    Case("work pool", pause_pool, "work pool", "airnub is paused"),
    Case("pool settings", edit_pool, "work pool", "update work pool airnub (concurrency_limit)"),
    Case("work queues", pause_queue, "work queue", "(is_paused)"),
    Case("variables", edit_variable, "variable", "dept_project_beta_ingestion_config (value)"),
    Case("blocks", delete_block, "block", "create block content-store/project-beta"),
    Case("secrets", delete_secret, "block", "create block secret/project-beta-beta-token"),
    Case("limits", edit_limit, "limit", "update limit project_beta.beta"),
    Case("automations", add_automation, "automation", "delete automation stray"),
    Case("deployments", delete_deployment, "deployment", f"create deployment {INGESTION}"),
)


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_what_is_not_as_in_git(
    case: Case, client: SyncPrefectClient, doctor: Doctor, register: Callable[..., None]
) -> None:
    register(case.kind)
    case.act(client)

    broken = doctor("api", "authentication", "configuration", case.name)[case.name]
    register(case.kind)
    mended = doctor("api", "authentication", "configuration", case.name)[case.name]

    assert (broken.state, broken.fixes) == ("fail", ("airnub bootstrap",))
    assert case.what in broken.what
    assert mended.state == "ok"


def test_a_secret_that_is_set_nowhere(
    mine: Settings, client: SyncPrefectClient, register: Callable[..., None]
) -> None:
    register("block")
    visible = mine.hiding([TOKEN])
    names = ("api", "authentication", "configuration", "secrets")
    checks = [each for each in examination.EMBEDDED if each.name in names]

    def look() -> Finding:
        context = Context(visible, load_catalog(visible), platforms.embedded())
        return examine(checks, context).findings["secrets"]

    kept = look()
    delete_secret(client)
    gone = look()

    assert kept.state == "ok"
    assert (gone.state, gone.fixes[0].split()[0]) == ("fail", f"{TOKEN}=…")
    assert "BETA_TOKEN is not set, and there is no block project-beta-beta-token" in gone.what


def test_a_flow_that_does_not_load(
    root: Path, doctor: Doctor, register: Callable[..., None]
) -> None:
    file = root / "flows" / f"dept_{DEPARTMENT}" / f"ingestion_flow_dept_{DEPARTMENT}.py"
    text = file.read_text()
    file.write_text("import no_such_module_anywhere\n")

    found = doctor("api", "authentication", "configuration", "deployments")["deployments"]
    file.write_text(text)

    assert found.state == "fail"
    assert "No module named 'no_such_module_anywhere'" in found.what
    assert "Run the file to see the cause" in found.fixes


def test_a_mistake_in_the_configuration(root: Path, doctor: Doctor) -> None:
    folder = root / "configs" / "variables" / f"dept_{DEPARTMENT}" / "ingestion"
    file = next(folder.iterdir())
    text = file.read_text()
    file.write_text("nonsense: 1\n")

    found = doctor("api", "authentication", "configuration", "variables")
    file.write_text(text)

    assert found["configuration"].state == "fail"
    assert file.name in found["configuration"].what
    assert found["variables"].what == "skipped: it needs configuration"


def kill(mine: Settings, name: str) -> None:
    """End a process without telling the platform."""
    pid = ManagedProcess(name, Layout(mine.home)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while start_token(pid) is not None:
        pass


def test_a_worker_that_was_killed(
    mine: Settings, client: SyncPrefectClient, doctor: Doctor, register: Callable[..., None]
) -> None:
    register("work pool")
    kill(mine, platform.WORKER)
    client.request("DELETE", "/work_pools/airnub/workers/embedded")  # type: ignore[arg-type]

    found = doctor("api", "authentication", "configuration", "worker", "processes")

    assert found["processes"].fixes == ("airnub up",)
    assert "worker has ended by itself" in found["processes"].what
    assert found["worker"].what == "no worker of airnub is online: none was ever there"
    assert found["worker"].fixes == ("airnub down && airnub up",)


def test_sources_that_were_killed(mine: Settings, doctor: Doctor) -> None:
    kill(mine, platform.SOURCES)

    found = doctor("api", "sources", "processes")

    assert found["sources"].state == "fail"
    assert "sources has ended by itself" in found["processes"].what


def test_a_server_that_was_stopped(mine: Settings, doctor: Doctor) -> None:
    ManagedProcess(platform.SERVER, Layout(mine.home)).stop()

    found = doctor("processes", "api", "authentication", "variables")

    assert (found["api"].state, found["api"].fixes) == ("fail", ("airnub up",))
    assert found["authentication"].what == "skipped: it needs api"
    assert found["variables"].what == "skipped: it needs authentication"


@pytest.fixture
def paused(client: SyncPrefectClient, register: Callable[..., None]) -> Iterator[None]:
    """Let the worker take no run."""
    register()
    pause_pool(client)
    yield
    register("work pool")


def test_a_run_that_is_late(client: SyncPrefectClient, doctor: Doctor, paused: None) -> None:
    deployment = read_deployments(client)[INGESTION]
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    run = client.create_flow_run_from_deployment(
        deployment.id, state=Scheduled(scheduled_time=an_hour_ago)
    )

    found = doctor("api", "authentication", "late runs")["late runs"]
    client.delete_flow_run(run.id)

    assert found.state == "warn"
    assert f"{run.name} by 1 h" in found.what
    assert "prefect work-pool inspect airnub" in found.fixes[0]


@pytest.mark.parametrize("lost", [Pending(), Running()], ids=["pending", "running"])
def test_a_run_that_is_stuck(
    lost: State[object], client: SyncPrefectClient, doctor: Doctor, paused: None
) -> None:
    deployment = read_deployments(client)[INGESTION]
    run = client.create_flow_run_from_deployment(deployment.id)
    client.set_flow_run_state(run.id, lost, force=True)

    patient = doctor("api", "authentication", "stuck runs")["stuck runs"]
    limits = Thresholds(waiting_s=0, silent_s=0)
    found = doctor("api", "authentication", "stuck runs", thresholds=limits)["stuck runs"]
    client.delete_flow_run(run.id)

    assert patient.state == "ok"
    assert found.state == "fail"
    assert run.name in found.what
    assert found.fixes[0].startswith("airnub down && airnub up")


@pytest.fixture
def front(state: PlatformState) -> Iterator[Front]:
    with in_front_of(state.port) as opened:
        yield opened


def through(front: Front, mine: Settings, *names: str, **environment: str) -> dict[str, Finding]:
    """Carry out checks on the server that is behind another."""
    server = Server({"PREFECT_API_URL": front.url, **environment}, mine)
    meant = replace(platforms.named(), find_server=lambda _: server)
    checks = [
        replace(each, limit_s=2) if front.manners.silent else each
        for each in examination.NAMED
        if each.name in names
    ]
    return examine(checks, Context(mine, load_catalog(mine), meant)).findings


def test_a_wrong_password(front: Front, mine: Settings) -> None:
    front.manners.authorization = "Basic dXNlcjp3b3Jk"  # user:word
    names = ("api", "authentication", "version")

    right = through(front, mine, *names, PREFECT_API_AUTH_STRING="user:word")
    wrong = through(front, mine, *names, PREFECT_API_AUTH_STRING="user:other")

    assert {each.state for each in right.values()} == {"ok"}
    assert wrong["api"].state == "ok"
    assert wrong["authentication"].fixes == ("Correct PREFECT_API_AUTH_STRING or PREFECT_API_KEY",)
    assert wrong["version"].what == "skipped: it needs authentication"


def test_a_server_of_another_version(front: Front, mine: Settings) -> None:
    front.manners.version = b'"3.1.0"'

    found = through(front, mine, "api", "authentication", "version")["version"]

    assert found.state == "fail"
    assert "the server has Prefect 3.1.0" in found.what
    assert "make setup" in found.fixes[0]


def test_a_clock_that_is_ahead(front: Front, mine: Settings) -> None:
    front.manners.ahead = timedelta(hours=1)

    found = through(front, mine, "api", "clock")["clock"]

    assert found.state == "fail"
    assert "set-ntp" in found.fixes[0]


def test_an_api_that_hangs_for_one_question(front: Front, mine: Settings) -> None:
    front.manners.silent = "/admin/version"

    found = through(front, mine, "api", "authentication", "version", "late runs")

    assert (found["version"].state, found["version"].what) == ("fail", "no answer in 2 s")
    assert found["late runs"].state == "ok"
    assert os.environ.get("PREFECT_API_URL") != front.url
