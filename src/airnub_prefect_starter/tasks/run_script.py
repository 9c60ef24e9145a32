"""A script as a task: its output in Prefect's logs, one retry, and nothing left behind."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from airnub_prefect_starter.core.scripts import Script, run_process

MAX_LOGGED_LINES = 10_000

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


# A script has side effects: the same one with the same arguments is run again, in one flow run too.
@task(
    name="run_script",
    task_run_name="{task_name}",
    retries=1,
    retry_delay_seconds=5,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def run_script(
    script_path: Path,
    task_name: str,
    arguments: Sequence[str] = (),
    timeout_seconds: float = 3600,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a Python script in a process of its own, and return the last line that it printed.

    A script that fails is tried once more. Call the task, do not submit it: an end of the flow run
    reaches the main thread alone, and there the script is ended too.

    Args:
        script_path: The file.
        task_name: Names its run, and what its lines in the log begin with.
        arguments: What it is given.
        timeout_seconds: How long an attempt may take, in seconds.
        environment: Variables beside those of this process.

    Raises:
        ConfigError: There is no such file.
        ScriptFailedError: It ended with another exit code than 0, by a signal, or took too long.
    """
    lines = run_process(
        Script(script_path, arguments, environment or {}, task_name),
        _to_log(get_run_logger(), task_name),
        timeout_s=timeout_seconds,
    )
    return lines[-1] if lines else ""


def _to_log(logger: Logger, task_name: str) -> Callable[[str], None]:
    """Log lines until there are too many for a server that keeps them all."""
    seen = 0

    def log(line: str) -> None:
        nonlocal seen
        seen += 1
        if seen <= MAX_LOGGED_LINES:
            logger.info("%s | %s", task_name, line)
        elif seen == MAX_LOGGED_LINES + 1:
            logger.warning("%s | Only %s lines are logged", task_name, f"{MAX_LOGGED_LINES:,}")

    return log
