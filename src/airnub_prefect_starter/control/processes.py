"""Detached processes with a log and a record, by which they are found and ended again.

A record holds the process's start time beside its id, so that a process which got the id of one
that has ended is never taken for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import Layout, write_atomically
from airnub_prefect_starter.control.process_table import descendants, start_token

_MAX_LOG_BYTES = 5 << 20
_POLL_S = 0.05


@dataclass(frozen=True)
class ProcessRecord:
    """Which process was started: its id, a token of when, and what its environment was.

    Attributes:
        pid: Its process id.
        started: Its `start_token`.
        environment: `fingerprint` of what it was given.
    """

    pid: int
    started: str
    environment: str = ""


class ManagedProcess:
    """One of the platform's processes.

    Args:
        name: Names its record and log.
        layout: Where these are.
    """

    def __init__(self, name: str, layout: Layout) -> None:
        self.name = name
        self.log = layout.logs / f"{name}.log"
        self._record = layout.processes / f"{name}.json"

    @property
    def pid(self) -> int | None:
        """Its process id; None unless the very process that was started still runs."""
        record = self._read()
        if record is None:
            return None
        _reap(record.pid)
        return record.pid if start_token(record.pid) == record.started else None

    @property
    def environment(self) -> str:
        """Fingerprint of the environment that it was started with; empty if it never was."""
        record = self._read()
        return record.environment if record else ""

    def start(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        *,
        environment: str = "",
    ) -> None:
        """Start it in a session of its own, with its output appended to its log.

        Args:
            command: The program and its arguments.
            environ: Its whole environment.
            folder: Where it runs.
            environment: Fingerprint to remember; see `environment`.

        Raises:
            PlatformError: The program cannot be started. No retry.
        """
        self._rotate()
        with self.log.open("ab") as log:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own programs
                    command,
                    env=dict(environ),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as exc:
                raise PlatformError(f"{command[0]} cannot be started: {exc}") from exc
        token = start_token(process.pid) or "ended at once"
        record = ProcessRecord(process.pid, token, environment)
        write_atomically(self._record, json.dumps(asdict(record)), mode=0o600)
        # It is meant to outlive this process; else Popen warns that nobody waited for it.
        process.returncode = 0

    def stop(self, *, grace_s: float = 10) -> bool:
        """End it, then what it started: SIGTERM, then SIGKILL.

        What it started may be in sessions of their own, as Prefect's worker starts flow runs.

        Returns:
            Whether it ran.

        Raises:
            PlatformError: It does not end.
        """
        pid = self.pid
        if pid is None:
            self._record.unlink(missing_ok=True)
            return False
        family = descendants(pid)

        def has_ended() -> bool:
            # Until the end, it may start another one.
            family.update(descendants(pid))
            return self.pid is None

        _send(os.kill, pid, signal.SIGTERM)
        _await(has_ended, grace_s)
        _send(os.killpg, pid, signal.SIGKILL)
        if not _await(lambda: self.pid is None, grace_s):
            raise PlatformError(f"{self.name} (process {pid}) does not end", f"kill -9 {pid}")
        end_processes(family, grace_s=grace_s)
        self._record.unlink(missing_ok=True)
        return True

    def tail(self, lines: int = 5) -> list[str]:
        """Return the last lines of the log that are not empty."""
        if not self.log.exists():
            return []
        text = self.log.read_text(errors="replace")[-20_000:]
        return [line for line in text.splitlines() if line.strip()][-lines:]

    def _read(self) -> ProcessRecord | None:
        try:
            return ProcessRecord(**json.loads(self._record.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as exc:
            raise PlatformError(
                f"{self._record} is not what `airnub up` wrote", "Remove the file"
            ) from exc

    def _rotate(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))


def end_processes(tokens: Mapping[int, str], *, grace_s: float) -> None:
    """End processes: SIGTERM, then SIGKILL to those that are left.

    Args:
        tokens: Process id → start token, as of `descendants`.
        grace_s: How long they have to end by themselves, in seconds.

    Raises:
        PlatformError: One does not end.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _alive(tokens):
            _send(os.kill, pid, number)
        if _await(lambda: not _alive(tokens), grace_s):
            return
    pids = " ".join(map(str, _alive(tokens)))
    raise PlatformError(f"Processes {pids} do not end", f"kill -9 {pids}")


def _alive(tokens: Mapping[int, str]) -> list[int]:
    return [pid for pid, token in tokens.items() if start_token(pid) == token]


def _send(kill: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        kill(pid, number)


def _await(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _reap(pid: int) -> None:
    """Collect the exit status of a process of ours that has ended, so that it does not linger."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
