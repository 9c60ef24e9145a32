"""Scripts as child processes: output line by line, a deadline, and nothing left behind.

A script gets a process group of its own, so that what it starts ends with it: at its deadline, when
it ends by itself, and when this process is interrupted. What moves to a session of its own stays,
unheard.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import IO

from airnub_prefect_starter.common.errors import ConfigError, ScriptFailedError

MAX_LINE_BYTES = 16_384
_TAIL_LINES = 20
_NAMED_CHARACTERS = 500
_POLL_S = 0.05
_KILLED_S = 1  # a killed process is gone at once, but one that nobody reaps stays in its group

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Script:
    """A Python script and how it is called.

    Attributes:
        path: The file.
        arguments: What it is given.
        environment: Variables beside those of this process.
        name: What errors call it; its file's name by default.
    """

    path: Path
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.path.name


def run_process(
    script: Script, on_line: OnLine, *, timeout_s: float, grace_s: float = 10
) -> tuple[str, ...]:
    """Run a Python script with this interpreter, and wait for it.

    Args:
        script: What to run.
        on_line: Called in another thread with each line of its output and errors, in their order;
            bytes that are not UTF-8 are replaced, lines over `MAX_LINE_BYTES` come in parts.
        timeout_s: How long it may take, in seconds.
        grace_s: How long its processes have to end after SIGTERM, before SIGKILL, in seconds.

    Returns:
        The last lines that are not empty.

    Raises:
        ConfigError: There is no such file. No retry.
        ScriptFailedError: It ended with another exit code than 0, by a signal, or took too long.
    """
    if not script.path.is_file():
        raise ConfigError(f"There is no script {script.path}", "Correct its path")
    process = _start(script)
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    output = _Output(process.stdout, on_line)
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired as expired:
        message = f"{script} did not end within {timeout_s:g} s"
        raise ScriptFailedError(message, "Give it more time, or see its log") from expired
    finally:
        # Also after KeyboardInterrupt, and what a SIGTERM of this process's own run raises.
        _end_group(process, grace_s)
        tail = output.close(grace_s)
    if code != 0:
        raise ScriptFailedError(f"{script} ended {_how(code)}{_why(tail)}", exit_status=code)
    return tail


class _Output:
    """What a script prints: each line is handed on as it comes, the last ones are kept."""

    def __init__(self, pipe: IO[bytes], on_line: OnLine) -> None:
        self._pipe = pipe
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._lock = Lock()
        self._closed = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self, wait_s: float) -> tuple[str, ...]:
        """Wait for the end of the output, say if that does not come, and hand on no line after it.

        Returns:
            The last lines that are not empty.
        """
        self._reader.join(wait_s)
        with self._lock:
            if self._reader.is_alive():
                self._on_line(f"What came {wait_s:g} s after the end or later was not read")
            self._closed = True
            return tuple(self._tail)

    def _read(self) -> None:
        with self._pipe:
            for line in iter(lambda: self._pipe.readline(MAX_LINE_BYTES), b""):
                text = line.decode(errors="replace").rstrip("\r\n")
                with self._lock:
                    if self._closed:
                        return
                    if text.strip():
                        self._tail.append(text)
                    self._on_line(text)


def _start(script: Script) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-u", str(script.path), *script.arguments],
        env={**os.environ, **script.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end_group(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a script and what it left running: SIGTERM, then SIGKILL."""
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, _KILLED_S)):
        if not _signal_group(process.pid, number):
            break
        deadline = time.monotonic() + wait_s
        while _signal_group(process.pid, 0) and time.monotonic() < deadline:
            process.poll()  # an ended child that nobody asked for would count as running
            time.sleep(_POLL_S)
    process.wait(grace_s)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a group; tell whether there is one."""
    # macOS refuses where all that is left of a group was not reaped yet.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def _how(code: int) -> str:
    return f"with exit code {code}" if code > 0 else f"by {signal.Signals(-code).name}"


def _why(tail: Sequence[str]) -> str:
    """Give what the script said of its failure: the lines that begin with ``error:``, or its last.

    `control.programs` writes such lines.
    """
    told = [line for line in tail if line.startswith("error: ")] or [*tail][-1:]
    text = "; ".join(line.removeprefix("error: ") for line in told)
    return f": {text[:_NAMED_CHARACTERS]}" if text else ""
