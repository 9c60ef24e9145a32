"""Start, restart and end of the embedded platform, with its real processes."""

import http.client
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.environment import PlatformState
from airnub_prefect_starter.control.platform import PlatformStatus
from airnub_prefect_starter.control.probes import is_free
from airnub_prefect_starter.control.processes import start_token


def pids(status: PlatformStatus) -> dict[str, int | None]:
    return {each.name: each.pid for each in status.processes}


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


def test_down_ends_every_process_and_frees_the_ports(
    settings: Settings, state: PlatformState
) -> None:
    running = pids(platform.status(settings))

    assert set(platform.down(settings)) == {"server", "sources", "worker"}

    assert all(pid is not None and start_token(pid) is None for pid in running.values())
    assert is_free(state.port)
    assert platform.down(settings) == ()
    assert not platform.status(settings).running
