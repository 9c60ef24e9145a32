"""Runs through the worker: followed, triggered, failed, with their results in the store."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from prefect import State
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Completed, Crashed, Failed, Running

from airnub_prefect_starter.common.errors import (
    ConfigError,
    PlatformError,
    RunFailedError,
    UnknownNameError,
)
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.department_runs import DepartmentRuns
from airnub_prefect_starter.control.desired import AutomationSpec, DesiredState
from airnub_prefect_starter.control.environment import (
    SERVER_COST_SETTINGS,
    PlatformState,
    child_environment,
)
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.runs import (
    follow_run,
    run_deployment,
    start_run,
    wait_for_triggered_run,
)
from airnub_prefect_starter.core.departments import (
    CategorySpec,
    DepartmentEntry,
    DepartmentSpec,
    StageSpec,
)


@pytest.fixture(autouse=True)
def _registered(client: SyncPrefectClient, desired: DesiredState, settings: Settings) -> None:
    bootstrap(desired, settings=settings, on_progress=quiet)


def results_folder(settings: Settings) -> Path:
    return settings.project_root / "data" / "store" / "sample" / "results"


def result_elsewhere(flow_run_id: UUID, settings: Settings, state: PlatformState) -> str:
    """Let another process fetch a run's result: through the block, from the store."""
    program = (
        "import sys; from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client:\n"
        "    print(client.read_flow_run(sys.argv[1]).state.result())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(flow_run_id)],
        env=child_environment(settings, state),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def ended_run(client: SyncPrefectClient, deployment: str, state: State) -> UUID:
    """Let a run begin and end without a worker."""
    found = client.read_deployment_by_name(deployment)
    run = client.create_flow_run_from_deployment(found.id, state=Running())
    client.set_flow_run_state(run.id, state)
    return run.id


def completed_run(client: SyncPrefectClient, deployment: str) -> UUID:
    return ended_run(client, deployment, Completed())


def test_a_run_is_followed_stores_its_results_and_triggers_the_next_stage(
    client: SyncPrefectClient, settings: Settings, state: PlatformState
) -> None:
    lines: list[str] = []

    summary = run_deployment(
        "sample.ingestion",
        settings=settings,
        on_progress=lines.append,
        parameters={"config": {"numbers": [1, 2, 3, 4]}},
    )

    assert summary.state == "Completed"
    assert summary.url.endswith(f"/runs/flow-run/{summary.flow_run_id}")
    assert summary.tasks == {"Completed": 4}
    assert [each.state for each in summary.subflows] == ["Completed"]
    # INFO of core reaches the API, so it is shown.
    assert sum("doubling" in line for line in lines) == 4
    assert any(line.endswith("is Running") for line in lines)
    assert len(list(results_folder(settings).iterdir())) >= 4
    assert result_elsewhere(summary.flow_run_id, settings, state) == "20"

    triggered = wait_for_triggered_run(
        client, summary.flow_run_id, "sample.processing", timeout_s=30
    )

    assert follow_run(client, triggered, quiet).state == "Completed"


def test_a_failed_run_is_an_error_with_its_reason_and_address(settings: Settings) -> None:
    with pytest.raises(RunFailedError, match=r"the well is dry.*See http://127\.0\.0\.1"):
        run_deployment("sample.failing", settings=settings, on_progress=quiet)


@pytest.mark.parametrize(
    ("name", "parameters", "error", "text"),
    [
        ("sample.ingestoin", {}, UnknownNameError, "Did you mean 'sample.ingestion'"),
        ("sample.ingestion", {"config": {"numbers": "x"}}, ConfigError, "is not valid|not of type"),
        ("sample.ingestion", {"confg": 1}, UnknownNameError, "Did you mean 'config'"),
    ],
    ids=["unknown", "wrong type", "unknown parameter"],
)
def test_a_run_that_cannot_start_is_refused_by_name(
    settings: Settings,
    name: str,
    parameters: dict[str, object],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        run_deployment(name, settings=settings, on_progress=quiet, parameters=parameters)  # type: ignore[arg-type]


def test_waiting_for_a_trigger_that_does_not_come_ends(client: SyncPrefectClient) -> None:
    other = completed_run(client, "Failing Flow (Sample)/sample.failing")

    with pytest.raises(PlatformError, match=r"No automation started sample\.processing"):
        wait_for_triggered_run(client, other, "sample.processing", timeout_s=0)


def test_each_run_is_followed_by_the_one_that_it_started_and_no_other(
    client: SyncPrefectClient,
) -> None:
    ended = [completed_run(client, "Ingestion Flow (Sample)/sample.ingestion") for _ in range(3)]

    started, again = (
        [wait_for_triggered_run(client, run, "sample.processing", timeout_s=60) for run in order]
        for order in (ended, reversed(ended))
    )

    assert len(set(started)) == 3
    assert again == started[::-1]


@pytest.mark.parametrize("end", [Failed(), Crashed()], ids=["failed", "crashed"])
def test_a_run_that_fails_starts_what_follows_a_failure(
    client: SyncPrefectClient, desired: DesiredState, settings: Settings, end: State
) -> None:
    ingestion, processing = (
        f"{stage.title()} Flow (Sample)/sample.{stage}" for stage in ("ingestion", "processing")
    )
    rule = AutomationSpec("sample: failed → processing", ingestion, processing, when="failed")
    bootstrap(replace(desired, automations=(rule,)), settings=settings, on_progress=quiet)

    run = ended_run(client, ingestion, end)

    started = wait_for_triggered_run(client, run, "sample.processing", timeout_s=60)
    assert follow_run(client, started, quiet).state == "Completed"


def test_stages_that_meet_again_are_all_followed(
    client: SyncPrefectClient, desired: DesiredState, settings: Settings
) -> None:
    following = {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}
    entry = DepartmentEntry(
        Department("sample", "Sample"),
        DepartmentSpec(
            owners=("@owner",),
            stages={
                stage: StageSpec(categories={"one": CategorySpec()}, on_success=targets)
                for stage, targets in following.items()
            },
        ),
    )
    specs = {
        stage: replace(
            desired.deployments[1],
            name=f"sample.{stage}",
            flow_name=f"{stage.upper()} Flow (Sample)",
            entrypoint=f"flows/sample.py:{stage}",
        )
        for stage in following
    }
    automations = [
        AutomationSpec(f"sample: {stage} → {target}", specs[stage].key, specs[target].key)
        for stage, targets in following.items()
        for target in targets
    ]
    more = replace(desired, deployments=tuple(specs.values()), automations=tuple(automations))
    bootstrap(more, settings=settings, on_progress=quiet, prune=())
    lines: list[str] = []

    summaries = list(DepartmentRuns(client, lines.append, logging.INFO).run_department(entry))

    followed = [line for line in lines if line.startswith("Following")]
    assert followed == [f"Following {stage} Flow (Sample)" for stage in "ABDCD"]
    assert len({each.flow_run_id for each in summaries}) == 5
    assert {each.state for each in summaries} == {"Completed"}


def test_interrupting_does_not_cancel_and_says_how_to(client: SyncPrefectClient) -> None:
    flow_run_id = start_run(client, "sample.processing", {})
    lines: list[str] = []

    def interrupt(line: str) -> None:
        lines.append(line)
        if len(lines) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow_run(client, flow_run_id, interrupt)

    assert lines[-1].endswith(f"prefect flow-run cancel {flow_run_id}")
    assert "Cancel" not in str(client.read_flow_run(flow_run_id).state_name)


def test_the_server_runs_with_the_settings_that_make_it_cheap(client: SyncPrefectClient) -> None:
    settings = client.request("GET", "/admin/settings").json()

    services = settings["server"]["services"]
    for name, value in SERVER_COST_SETTINGS.items():
        setting = name.removeprefix("PREFECT_SERVER_SERVICES_").lower()
        service = next(each for each in services if setting.startswith(f"{each}_"))
        assert services[service][setting.removeprefix(f"{service}_")] == float(value)
    assert services["triggers"]["enabled"]
    assert services["scheduler"]["enabled"]
    assert settings["server"]["concurrency"]["lease_storage"].endswith(".filesystem")
    assert not settings["server"]["analytics_enabled"]
