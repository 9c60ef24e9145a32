"""Programs of others: found, run to their end or followed, with their last words as the error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from airnub_prefect_starter.common.errors import PlatformError

Progress = Callable[[str], None]

WHERE_TO_GET: Mapping[str, str] = {
    "docker": "https://docs.docker.com/engine/install/",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
    "skaffold": "https://skaffold.dev/docs/install/",
}
_LAST_WORDS = 5
_GRACE_S = 10
_POLL_S = 0.05
_LONGEST = 80


def require_tools(names: Collection[str]) -> None:
    """Require that programs can be found on the PATH.

    Raises:
        ExceptionGroup: A `PlatformError` for each that cannot, with where to get it. No retry.
    """
    missing = [
        PlatformError(f"{name} is not on the PATH", f"Install it: {WHERE_TO_GET[name]}")
        for name in names
        if shutil.which(name) is None
    ]
    if missing:
        raise ExceptionGroup("tools are missing", missing)


def run(
    command: Sequence[str],
    *,
    timeout_s: float = 60,
    stdin: str | None = None,
    environ: Mapping[str, str] | None = None,
    remedy: str = "",
) -> str:
    """Run a program to its end and return what it printed.

    Args:
        command: The program and its arguments.
        timeout_s: How long it may take, in seconds.
        stdin: What it reads.
        environ: Its whole environment; this process's own by default.
        remedy: What to do if it fails.

    Raises:
        PlatformError: It cannot be started, fails, or takes longer.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the tools that the person installed
            command,
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environ,
            check=False,
        )
    except OSError as exc:
        raise PlatformError(f"{command[0]} cannot be started: {exc}", remedy) from exc
    except subprocess.TimeoutExpired as exc:
        raise PlatformError(f"{_short(command)} took over {timeout_s:.0f} s", remedy) from exc
    if done.returncode:
        raise _failed(command, done.stderr.splitlines() or done.stdout.splitlines(), remedy)
    return done.stdout


def follow(
    command: Sequence[str],
    on_progress: Progress,
    *,
    timeout_s: float,
    environ: Mapping[str, str] | None = None,
    remedy: str = "",
) -> None:
    """Run a program to its end and pass on each line that it prints, as it comes.

    If this process is interrupted, the program ends first, with all that it has started.

    Raises:
        PlatformError: As for `run`.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the tools that the person installed
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environ,
            # A group of its own, which can be ended as a whole: skaffold starts Helm.
            start_new_session=True,
        )
    except OSError as exc:
        raise PlatformError(f"{command[0]} cannot be started: {exc}", remedy) from exc
    late = threading.Event()

    def stop() -> None:
        late.set()
        _end_group(process)

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    try:
        words = _pass_on(process, on_progress)
    finally:
        timer.cancel()
        timer.join()  # it may be ending the group: then its last member ends first
        end(process)
    if late.is_set():
        raise PlatformError(f"{_short(command)} took over {timeout_s:.0f} s", remedy)
    if process.returncode:
        raise _failed(command, words, remedy)


def hand_over(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Let a program have the terminal until it ends, and return its exit code as a shell has it.

    Raises:
        PlatformError: It cannot be started. No retry.
    """
    try:
        process = subprocess.Popen(command, env=environ)  # noqa: S603 - asked for
    except OSError as exc:
        raise PlatformError(f"{command[0]} cannot be started: {exc}") from exc
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            _wait_or_kill(process)
    return code if code >= 0 else 128 - code


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end this process as `sys.exit` does, so that what it has started ends with it.

    For the main thread only. What SIGTERM did before holds again afterwards.

    Raises:
        SystemExit: SIGTERM came.
    """

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end(process: subprocess.Popen[str]) -> None:
    """End a process in a session of its own, with its group: SIGTERM, SIGKILL after 10 seconds."""
    if process.poll() is None:
        _end_group(process)
    if process.stdout is not None:
        process.stdout.close()


def _end_group(process: subprocess.Popen[str]) -> None:
    _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    # The whole group has the time: Helm needs it to record that it was interrupted.
    while _signal_group(process, 0) and time.monotonic() < deadline:
        process.poll()
        time.sleep(_POLL_S)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[str], number: int) -> bool:
    """Send a signal to a group, and tell whether any of it is left."""
    try:
        os.killpg(process.pid, number)
    # macOS answers so for processes that have ended and were not waited for.
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pass_on(process: subprocess.Popen[str], on_progress: Progress) -> list[str]:
    words = deque[str](maxlen=_LAST_WORDS)
    for line in process.stdout or ():
        if text := line.rstrip():
            words.append(text)
            on_progress(text)
    process.wait()
    return list(words)


def _failed(command: Sequence[str], words: Sequence[str], remedy: str) -> PlatformError:
    said = " | ".join(line.strip() for line in words[-_LAST_WORDS:] if line.strip())
    return PlatformError(f"{_short(command)} failed: {said or 'it said nothing'}", remedy)


def _short(command: Sequence[str]) -> str:
    text = " ".join(command)
    return f"`{text[:_LONGEST]}…`" if len(text) > _LONGEST else f"`{text}`"
