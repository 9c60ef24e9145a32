"""Start, restart and end of the embedded platform, with its real processes."""

import http.client
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import State
from prefect.states import Running

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.desired import DesiredState
from airnub_prefect_starter.control.environment import SERVER_COST_SETTINGS, PlatformState
from airnub_prefect_starter.control.platform import PlatformStatus, quiet
from airnub_prefect_starter.control.probes import free_port, is_free
from airnub_prefect_starter.control.process_table import descendants, start_token
from airnub_prefect_starter.control.runs import start_run


@flow
def waiting() -> None:
    """Stand for a flow that no worker runs."""


def pids(status: PlatformStatus) -> dict[str, int | None]:
    return {each.name: each.pid for each in status.processes}


def state_of(client: SyncPrefectClient, flow_run_id: UUID) -> State[object]:
    state = client.read_flow_run(flow_run_id).state
    assert state is not None
    return state


def get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_everything_runs_and_the_ui_knows_its_api(settings: Settings, state: PlatformState) -> None:
    found = platform.status(settings)

    assert found.running
    assert found.state == state
    assert None not in pids(found).values()
    assert json.loads(get(state.port, "/ui-settings"))["api_url"] == state.api_url
    assert "<html" in get(state.port, "/").lower()
    assert found.sources_url is not None


def test_its_files_are_below_its_home_and_none_in_the_persons(
    settings: Settings, state: PlatformState
) -> None:
    assert (settings.home / "prefect" / "prefect.db").exists()
    assert not Path(settings.environment["HOME"], ".prefect").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_process_has_the_settings_that_make_it_cheap(
    settings: Settings, state: PlatformState
) -> None:
    server = pids(platform.status(settings))["server"]
    environ = Path(f"/proc/{server}/environ").read_text().split("\0")

    assert {f"{name}={value}" for name, value in SERVER_COST_SETTINGS.items()} <= set(environ)


def test_a_second_start_changes_nothing(settings: Settings, state: PlatformState) -> None:
    before = pids(platform.status(settings))
    told: list[str] = []

    assert pids(platform.up(settings, on_progress=told.append)) == before
    assert told == []


def test_another_port_is_refused_while_it_runs(settings: Settings, state: PlatformState) -> None:
    with pytest.raises(PlatformError, match=rf"already runs on port {state.port}"):
        platform.up(settings, port=state.port + 1)


def test_two_starts_at_once_start_only_what_was_killed_once_and_on_its_port(
    settings: Settings, state: PlatformState
) -> None:
    before = pids(platform.status(settings))
    server = before["server"]
    assert server is not None
    os.kill(server, signal.SIGKILL)
    while start_token(server) is not None:
        pass
    assert not platform.status(settings).running

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(platform.up, [settings, settings])

    assert first == second
    assert first.running
    assert first.state == state
    assert pids(first)["server"] != server
    assert {**pids(first), "server": server} == before


def test_what_was_told_another_address_is_started_again(
    settings: Settings, state: PlatformState
) -> None:
    before = pids(platform.status(settings))
    server = before["server"]
    assert server is not None
    os.kill(server, signal.SIGKILL)
    while start_token(server) is not None:
        pass
    other = free_port()

    found = platform.up(settings, port=other)

    assert found.running
    assert found.state == replace(state, port=other)
    assert set(pids(found).values()).isdisjoint(before.values())
    assert platform.up(settings) == found


def test_down_ends_runs_and_says_so(
    settings: Settings, client: SyncPrefectClient, desired: DesiredState
) -> None:
    spec = replace(
        desired.deployments[1],
        name="sample.sleeping",
        flow_name="Sleeping Flow (Sample)",
        entrypoint="flows/sample.py:sleeping",
    )
    more = replace(desired, deployments=(*desired.deployments, spec))
    bootstrap(more, settings=settings, on_progress=quiet)
    run_id = start_run(client, spec.key, {})
    of_run = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
    while not (inner := client.read_flow_runs(flow_run_filter=of_run)):
        assert not state_of(client, run_id).is_final()
    worker = pids(platform.status(settings))["worker"]
    assert worker is not None
    tokens = descendants(worker)
    assert len(tokens) >= 2
    told: list[str] = []

    platform.down(settings, on_progress=told.append)

    assert [pid for pid, token in tokens.items() if start_token(pid) == token] == []
    assert "Marked 2 unfinished runs as Crashed" in told
    platform.up(settings)
    for each in (run_id, inner[0].id):
        ended = state_of(client, each)
        assert ended.is_crashed()
        assert ended.message == "`airnub down` ended it"


def test_runs_that_nobody_could_mark_are_marked_at_the_next_start(
    settings: Settings, client: SyncPrefectClient, desired: DesiredState
) -> None:
    bootstrap(desired, settings=settings, on_progress=quiet)
    found = client.read_deployment_by_name(desired.deployments[1].key)
    mine = client.create_flow_run_from_deployment(found.id, state=Running())
    elsewhere = client.create_flow_run(waiting, state=Running())
    worker = pids(platform.status(settings))["worker"]
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    while start_token(worker) is not None:
        pass

    platform.up(settings)

    assert state_of(client, mine.id).is_crashed()
    assert state_of(client, elsewhere.id).is_running()


def test_down_ends_every_process_and_frees_the_ports(
    settings: Settings, state: PlatformState
) -> None:
    running = pids(platform.status(settings))

    assert set(platform.down(settings)) == {"server", "sources", "worker"}

    assert all(pid is not None and start_token(pid) is None for pid in running.values())
    assert is_free(state.port)
    assert platform.down(settings) == ()
    assert not platform.status(settings).running
