"""Programs of others: found, run to their end or followed, with their last words as the error."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

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
        )
    except OSError as exc:
        raise PlatformError(f"{command[0]} cannot be started: {exc}", remedy) from exc
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.terminate()

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    try:
        words = _pass_on(process, on_progress)
    finally:
        timer.cancel()
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
        code = subprocess.run(command, env=environ, check=False).returncode  # noqa: S603 - asked for
    except OSError as exc:
        raise PlatformError(f"{command[0]} cannot be started: {exc}") from exc
    return code if code >= 0 else 128 - code


def end(process: subprocess.Popen[str]) -> None:
    """End a process that may run: SIGTERM, then SIGKILL after 10 seconds."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


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
