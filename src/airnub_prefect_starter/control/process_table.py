"""What the system knows of processes: when each was started, and by which one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_PROC = Path("/proc")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def start_token(pid: int) -> str | None:
    """Tell when a process was started, in a form to compare; None if it does not run."""
    if not _BOOT_ID.exists():
        return start_token_of_ps(pid)
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return f"{_BOOT_ID.read_text().strip()} {fields[19]}"


def start_token_of_ps(pid: int) -> str | None:
    """Tell it where there is no /proc."""
    found = _ps("-o", "state=,lstart=", "-p", str(pid)).split()
    return None if not found or found[0].startswith("Z") else " ".join(found[1:])


def descendants(pid: int) -> dict[int, str]:
    """Find what a process has started, directly or in turn: process id → start token.

    What such a process has left behind when it ended is not among them.
    """
    parents = _parents() if _BOOT_ID.exists() else parents_of_ps()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, each in parents.items() if each == parent]
        found += children
        waiting += children
    tokens = {child: start_token(child) for child in found}
    return {child: token for child, token in tokens.items() if token is not None}


def _parents() -> dict[int, int]:
    pids = [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]
    return {pid: int(fields[1]) for pid in pids if (fields := _stat(pid)) is not None}


def parents_of_ps() -> dict[int, int]:
    """Find every process's parent where there is no /proc."""
    numbers = iter(map(int, _ps("-ax", "-o", "pid=,ppid=").split()))
    return dict(zip(numbers, numbers, strict=True))


def _stat(pid: int) -> list[str] | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, which may hold anything (proc(5)).
    return stat.rpartition(")")[2].split()


def _ps(*options: str) -> str:
    return subprocess.run(  # noqa: S603 - numbers are all that varies
        ["ps", *options],  # noqa: S607 - wherever the system has it
        # Else the same time would read differently elsewhere.
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
