"""Runs through the worker: followed, triggered, failed, with their results in the store."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient

from airnub_prefect_starter.common.errors import (
    ConfigError,
    PlatformError,
    RunFailedError,
    UnknownNameError,
)
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.desired import DesiredState
from airnub_prefect_starter.control.environment import PlatformState, child_environment
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.runs import (
    follow_run,
    run_deployment,
    start_run,
    wait_for_triggered_run,
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


def test_a_run_is_followed_stores_its_results_and_triggers_the_next_stage(
    client: SyncPrefectClient, settings: Settings, state: PlatformState
) -> None:
    begun = datetime.now(UTC)
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

    triggered = wait_for_triggered_run(client, "sample.processing", since=begun, timeout_s=30)

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
    with pytest.raises(PlatformError, match=r"No automation started sample\.processing"):
        wait_for_triggered_run(client, "sample.processing", since=datetime.now(UTC), timeout_s=0)


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
    assert services["task_run_recorder"]["batch_size"] == 100
    assert services["task_run_recorder"]["read_batch_size"] == 100
    assert services["event_persister"]["batch_size"] == 100
    assert services["event_persister"]["read_batch_size"] == 100
    assert services["triggers"]["enabled"]
    assert services["scheduler"]["enabled"]
    assert settings["server"]["concurrency"]["lease_storage"].endswith(".filesystem")
    assert not settings["server"]["analytics_enabled"]
