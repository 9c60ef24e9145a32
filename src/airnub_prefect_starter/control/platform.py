"""The embedded platform: Prefect server, worker and sample sources as processes of this project.

Everything is on the loopback and below ``settings.home``; no other server, profile or database is
read or touched.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from airnub_prefect_starter.common.errors import PlatformError, PortInUseError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import (
    HOST,
    Layout,
    PlatformState,
    child_environment,
    file_errors,
    fingerprint,
    own_database_url,
    read_state,
    sources_url,
    write_state,
)
from airnub_prefect_starter.control.locking import locked
from airnub_prefect_starter.control.lost_runs import crash_lost_runs
from airnub_prefect_starter.control.probes import (
    answers,
    free_port,
    is_free,
    is_ready,
    is_worker_online,
)
from airnub_prefect_starter.control.processes import ManagedProcess
from airnub_prefect_starter.core.departments import DEFAULT_POOL

Progress = Callable[[str], None]

SERVER, SOURCES, WORKER = "server", "sources", "worker"
_STOP_ORDER = (WORKER, SOURCES, SERVER)
WORKER_NAME = "embedded"
_POLL_S = 0.1
_PROGRESS_S = 2


@dataclass(frozen=True)
class ProcessStatus:
    """One process: its id is None if it does not run."""

    name: str
    pid: int | None
    log: Path


@dataclass(frozen=True)
class PlatformStatus:
    """What runs, and where. ``state`` is None before the first start."""

    state: PlatformState | None
    sources_url: str | None
    processes: tuple[ProcessStatus, ...]
    healthy: bool

    @property
    def running(self) -> bool:
        """Whether every process runs, the server answers and the worker reaches it."""
        return self.healthy and all(each.pid is not None for each in self.processes)


def quiet(_: str) -> None:
    """Show no progress."""


def up(
    settings: Settings, *, port: int | None = None, on_progress: Progress = quiet
) -> PlatformStatus:
    """Start what does not run yet, and wait until it works.

    Args:
        settings: The project's settings.
        port: The server's port; by default the one it had before, or any free one.
        on_progress: Called with a line about whatever takes more than a moment.

    Raises:
        PortInUseError: Another process listens on ``port``. No retry.
        PlatformError: A process ended or did not answer in time; the message has its last words.
    """
    layout = Layout(settings.home)
    with file_errors(layout.home), locked(layout, settings.start_timeout_s, on_progress):
        state = _choose_ports(settings, layout, port)
        write_state(layout, state)
        starter = _Starter(settings, layout, state, on_progress)
        starter.start()
    return status(settings)


def down(settings: Settings, *, on_progress: Progress = quiet) -> tuple[str, ...]:
    """End the platform's processes with the flow runs that they run, and none else.

    Returns:
        The names of those that ran.

    Raises:
        PlatformError: One does not end.
    """
    layout = Layout(settings.home)
    ended = []
    with file_errors(layout.home):
        if not layout.home.exists():
            return ()
        with locked(layout, settings.start_timeout_s, on_progress):
            for name in _STOP_ORDER:
                if name == SERVER:
                    _tell_server(layout, on_progress)
                if ManagedProcess(name, layout).stop():
                    on_progress(f"Stopped the {name}")
                    ended.append(name)
    return tuple(ended)


def _tell_server(layout: Layout, on_progress: Progress) -> None:
    try:
        _crash_lost_runs(layout, "`airnub down` ended it", on_progress)
    except PlatformError as error:
        # No reason to leave the server running: the next `airnub up` marks them.
        on_progress(str(error))


def _crash_lost_runs(layout: Layout, reason: str, on_progress: Progress) -> None:
    """Give the runs that were the worker's a final state, if the server is there."""
    state = read_state(layout)
    if state is None or ManagedProcess(SERVER, layout).pid is None or not is_ready(state.port):
        return
    marked = crash_lost_runs(state.port, DEFAULT_POOL, reason)
    if marked:
        on_progress(f"Marked {marked} unfinished runs as Crashed")


def status(settings: Settings) -> PlatformStatus:
    """Tell what runs."""
    layout = Layout(settings.home)
    with file_errors(layout.home):
        state = read_state(layout)
        processes = [ManagedProcess(name, layout) for name in _names(settings)]
        return PlatformStatus(
            state=state,
            sources_url=sources_url(settings, state) if state else None,
            processes=tuple(ProcessStatus(each.name, each.pid, each.log) for each in processes),
            healthy=state is not None and _is_healthy(state.port),
        )


def _is_healthy(port: int) -> bool:
    return is_ready(port) and is_worker_online(port, DEFAULT_POOL, WORKER_NAME)


def _names(settings: Settings) -> tuple[str, ...]:
    external = settings.environment.get("SOURCES_URL")
    return (SERVER, WORKER) if external else (SERVER, SOURCES, WORKER)


class _Starter:
    """One call of `up`: starts what is dead, then waits for it."""

    def __init__(
        self, settings: Settings, layout: Layout, state: PlatformState, on_progress: Progress
    ) -> None:
        self._settings = settings
        self._layout = layout
        self._state = state
        self._on_progress = on_progress
        self._fingerprint = fingerprint(settings, state)
        self._deadline = time.monotonic() + settings.start_timeout_s

    def start(self) -> None:
        self._stop_outdated()
        port = self._state.port
        server = self._ensure(
            SERVER, ["prefect", "server", "start", "--host", HOST, "--port", str(port)]
        )
        sources = self._start_sources()
        self._wait(server, partial(is_ready, port))
        if sources is not None:
            self._wait(sources, partial(answers, self._state.sources_port or 0, "/health"))
        # Not sooner: a worker that misses its server at first looks for it again 30 s later.
        self._start_worker()

    def _stop_outdated(self) -> None:
        """End what was told an address or a token that is no longer right."""
        for name in _STOP_ORDER:
            process = ManagedProcess(name, self._layout)
            if process.pid is not None and process.environment != self._fingerprint:
                self._on_progress(f"Stopping the {name}: its environment has changed")
                process.stop()

    def _start_sources(self) -> ManagedProcess | None:
        if SOURCES not in _names(self._settings):
            return None
        options = ["--port", str(self._state.sources_port), "--enable-control"]
        if not self._settings.environment.get("SOURCES_DATABASE_URL"):
            options += ["--database", own_database_url(self._settings)]
        return self._ensure(SOURCES, ["airnub_prefect_starter.demo", *options])

    def _start_worker(self) -> None:
        begun = None
        if ManagedProcess(WORKER, self._layout).pid is None:
            _crash_lost_runs(self._layout, "Its worker ended before it did", self._on_progress)
            begun = datetime.now(UTC)
        options = ["--pool", DEFAULT_POOL, "--type", "process", "--name", WORKER_NAME]
        worker = self._ensure(
            WORKER, ["prefect", "worker", "start", *options, "--install-policy", "never"]
        )
        online = partial(is_worker_online, self._state.port, DEFAULT_POOL, WORKER_NAME, since=begun)
        self._wait(worker, online)

    def _ensure(self, name: str, module: list[str]) -> ManagedProcess:
        process = ManagedProcess(name, self._layout)
        if process.pid is None:
            self._on_progress(f"Starting the {name}")
            environ = child_environment(self._settings, self._state)
            command = [sys.executable, "-m", *module]
            process.start(command, environ, self._layout.home, environment=self._fingerprint)
        return process

    def _wait(self, process: ManagedProcess, is_up: Callable[[], bool]) -> None:
        begun = shown = time.monotonic()
        while not is_up():
            now = time.monotonic()
            if process.pid is None:
                raise _failed(process, "ended while starting")
            if now > self._deadline:
                process.stop()
                raise _failed(process, f"did not answer in {self._settings.start_timeout_s} s")
            if now - shown > _PROGRESS_S:
                self._on_progress(f"Waiting for the {process.name} ({now - begun:.0f} s)")
                shown = now
            time.sleep(_POLL_S)


def _failed(process: ManagedProcess, what: str) -> PlatformError:
    words = " | ".join(process.tail()) or "it said nothing"
    return PlatformError(f"The {process.name} {what}: {words}", f"Read {process.log}")


def _choose_ports(settings: Settings, layout: Layout, wanted: int | None) -> PlatformState:
    known = read_state(layout)
    return PlatformState(
        port=_server_port(layout, known, wanted),
        sources_port=_sources_port(layout, known) if SOURCES in _names(settings) else None,
    )


def _server_port(layout: Layout, known: PlatformState | None, wanted: int | None) -> int:
    if known is not None and ManagedProcess(SERVER, layout).pid is not None:
        if wanted not in (None, known.port):
            raise PlatformError(
                f"The server already runs on port {known.port}", "Run `airnub down` first"
            )
        return known.port
    if wanted is not None and not is_free(wanted):
        raise PortInUseError(
            f"Another process listens on port {wanted}",
            "Leave the port out to take any free one, or name another",
        )
    return wanted or _kept(known.port if known else None)


def _sources_port(layout: Layout, known: PlatformState | None) -> int:
    port = known.sources_port if known else None
    if port is not None and ManagedProcess(SOURCES, layout).pid is not None:
        return port
    return _kept(port)


def _kept(port: int | None) -> int:
    return port if port is not None and is_free(port) else free_port()
