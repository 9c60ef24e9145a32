"""Scripts as child processes: output line by line, a deadline, and nothing left behind.

A script gets a process group of its own, so that what it starts ends with it: at its deadline, when
it ends by itself, and when this process is interrupted. What moves to a session of its own stays.
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
from threading import Thread
from typing import IO

from airnub_prefect_starter.common.errors import ConfigError, ScriptFailedError

MAX_LINE_BYTES = 16_384
_TAIL_LINES = 20
_NAMED_CHARACTERS = 500
_POLL_S = 0.05

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
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = _start(script)
    reader = Thread(target=_read, args=(process.stdout, on_line, tail), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired as expired:
        message = f"{script} did not end within {timeout_s:g} s"
        raise ScriptFailedError(message, "Give it more time, or see its log") from expired
    finally:
        # Also after KeyboardInterrupt, and what a SIGTERM of this process's own run raises.
        _end_group(process, grace_s)
        reader.join(grace_s)
    if code != 0:
        raise ScriptFailedError(f"{script} ended {_how(code)}{_why(tail)}", exit_status=code)
    return tuple(tail)


def _start(script: Script) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-u", str(script.path), *script.arguments],
        env={**os.environ, **script.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _read(output: IO[bytes], on_line: OnLine, tail: deque[str]) -> None:
    with output:
        for line in iter(lambda: output.readline(MAX_LINE_BYTES), b""):
            text = line.decode(errors="replace").rstrip("\r\n")
            if text.strip():
                tail.append(text)
            on_line(text)


def _end_group(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a script and what it left running: SIGTERM, then SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_group(process.pid, number):
            break
        deadline = time.monotonic() + grace_s
        while _signal_group(process.pid, 0) and time.monotonic() < deadline:
            process.poll()  # an ended child that nobody asked for would count as running
            time.sleep(_POLL_S)
    process.wait(grace_s)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a group; tell whether there is one."""
    with suppress(ProcessLookupError):
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
