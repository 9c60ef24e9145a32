"""The embedded platform: Prefect server, worker and sample sources as processes of this project.

Everything is on the loopback and below ``settings.home``; no other server, profile or database is
read or touched.
"""

from __future__ import annotations

import fcntl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    read_state,
    sources_url,
    write_state,
)
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
        """Whether every process runs and the server answers."""
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
    with _locked(layout, settings.start_timeout_s, on_progress):
        state = _choose_ports(settings, layout, port)
        write_state(layout, state)
        starter = _Starter(settings, layout, state, on_progress)
        starter.start()
    return status(settings)


def down(settings: Settings, *, on_progress: Progress = quiet) -> tuple[str, ...]:
    """End the platform's processes, and none else.

    Returns:
        The names of those that ran.

    Raises:
        PlatformError: One does not end.
    """
    layout = Layout(settings.home)
    if not layout.home.exists():
        return ()
    ended = []
    with _locked(layout, settings.start_timeout_s, on_progress):
        for name in (WORKER, SOURCES, SERVER):
            if ManagedProcess(name, layout).stop():
                on_progress(f"Stopped the {name}")
                ended.append(name)
    return tuple(ended)


def status(settings: Settings) -> PlatformStatus:
    """Tell what runs."""
    layout = Layout(settings.home)
    state = read_state(layout)
    processes = [ManagedProcess(name, layout) for name in _names(settings)]
    return PlatformStatus(
        state=state,
        sources_url=sources_url(settings, state) if state else None,
        processes=tuple(ProcessStatus(each.name, each.pid, each.log) for each in processes),
        healthy=state is not None and is_ready(state.port),
    )


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
        self._deadline = time.monotonic() + settings.start_timeout_s

    def start(self) -> None:
        port = self._state.port
        server = self._ensure(
            SERVER, ["prefect", "server", "start", "--host", HOST, "--port", str(port)]
        )
        sources = self._start_sources()
        self._wait(server, partial(is_ready, port))
        if sources is not None:
            self._wait(sources, partial(answers, self._state.sources_port or 0, "/health"))
        # Not sooner: a worker that misses its server at first looks for it again 30 s later.
        begun = datetime.now(UTC)
        worker = self._start_worker()
        if worker is not None:
            self._wait(worker, partial(is_worker_online, port, DEFAULT_POOL, WORKER_NAME, begun))

    def _start_sources(self) -> ManagedProcess | None:
        if SOURCES not in _names(self._settings):
            return None
        options = ["--port", str(self._state.sources_port), "--enable-control"]
        return self._ensure(SOURCES, ["airnub_prefect_starter.demo", *options])

    def _start_worker(self) -> ManagedProcess | None:
        if ManagedProcess(WORKER, self._layout).pid is not None:
            return None
        options = ["--pool", DEFAULT_POOL, "--type", "process", "--name", WORKER_NAME]
        return self._ensure(
            WORKER, ["prefect", "worker", "start", *options, "--install-policy", "never"]
        )

    def _ensure(self, name: str, module: list[str]) -> ManagedProcess:
        process = ManagedProcess(name, self._layout)
        if process.pid is None:
            self._on_progress(f"Starting the {name}")
            environ = child_environment(self._settings, self._state)
            process.start([sys.executable, "-m", *module], environ, self._layout.home)
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


@contextmanager
def _locked(layout: Layout, timeout_s: float, on_progress: Progress) -> Iterator[None]:
    layout.home.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with layout.lock.open("w") as lock:
        told = False
        while not _try_lock(lock.fileno()):
            if not told:
                on_progress("Waiting for another `airnub up` or `airnub down`")
                told = True
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"Another process holds {layout.lock}", "Wait for it, or end it"
                )
            time.sleep(_POLL_S)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
