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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import Layout, write_atomically

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAX_LOG_BYTES = 5 << 20
_POLL_S = 0.05


@dataclass(frozen=True)
class ProcessRecord:
    """Which process was started: its id and a token of when."""

    pid: int
    started: str


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

    def start(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        """Start it in a session of its own, with its output appended to its log.

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
        record = ProcessRecord(process.pid, start_token(process.pid) or "ended at once")
        write_atomically(self._record, json.dumps(asdict(record)))
        # It is meant to outlive this process; else Popen warns that nobody waited for it.
        process.returncode = 0

    def stop(self, *, grace_s: float = 10) -> bool:
        """End it and what it started: SIGTERM, then SIGKILL to its group.

        Returns:
            Whether it ran.

        Raises:
            PlatformError: It does not end.
        """
        pid = self.pid
        if pid is None:
            self._record.unlink(missing_ok=True)
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        self._wait(grace_s)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not self._wait(grace_s):
            raise PlatformError(f"{self.name} (process {pid}) does not end", f"kill -9 {pid}")
        self._record.unlink(missing_ok=True)
        return True

    def tail(self, lines: int = 5) -> list[str]:
        """Return the last lines of the log that are not empty."""
        if not self.log.exists():
            return []
        text = self.log.read_text(errors="replace")[-20_000:]
        return [line for line in text.splitlines() if line.strip()][-lines:]

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

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


def start_token(pid: int) -> str | None:
    """Tell when a process was started, in a form to compare; None if it does not run."""
    if not _BOOT_ID.exists():
        return _start_token_of_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, which may hold anything (proc(5)).
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else f"{_BOOT_ID.read_text().strip()} {started}"


def _start_token_of_ps(pid: int) -> str | None:
    found = subprocess.run(  # noqa: S603 - a number is all that varies
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],  # noqa: S607 - wherever the system has it
        # Else the same time would read differently elsewhere.
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return None if not found or found[0].startswith("Z") else " ".join(found[1:])


def _reap(pid: int) -> None:
    """Collect the exit status of a process of ours that has ended, so that it does not linger."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
