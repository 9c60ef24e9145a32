"""Flow files that people start as programs: one line of error, an exit code, the sample sources."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from prefect.logging.configuration import setup_logging
from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from airnub_prefect_starter.common.errors import (
    EXIT_BUG,
    ConfigError,
    StarterError,
    error_lines,
    exit_code_of,
    leaves_of,
)
from airnub_prefect_starter.common.settings import find_project_root, load_settings
from airnub_prefect_starter.control.environment import (
    Layout,
    own_database_url,
    read_state,
    sources_url,
)


def run_program(main: Callable[[], object]) -> NoReturn:
    """Run a program and exit: 0, or the code of `common.errors` after a line per error.

    Without a server named by ``PREFECT_API_URL``, Prefect starts one for the run; on a busy machine
    that takes longer than the 20 seconds that it waits by itself.
    """
    _quieten_tracebacks()
    _find_project(Path(inspect.getfile(main)))
    own_server = {
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
    }
    try:
        with temporary_settings(set_defaults=own_server):
            main()
    except Exception as error:  # noqa: BLE001 - the last one who can tell: a line, or a traceback
        sys.exit(_show(error))
    sys.exit(0)


def read_file(path: Path) -> bytes:
    """Read a file that an argument names.

    Raises:
        ConfigError: It cannot be read. No retry.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "Give a file that can be read") from error


def sample_sources() -> str:
    """Return the address of the sample sources: ``SOURCES_URL``, else the embedded platform's.

    Raises:
        ConfigError: There is neither. No retry.
    """
    settings = load_settings()
    state = read_state(Layout(settings.home))
    found = sources_url(settings, state) if state else settings.environment.get("SOURCES_URL")
    if not found:
        raise ConfigError(
            "No address was given, and the embedded platform with its sample sources was never up",
            "Give one (see --help), set SOURCES_URL, or run `airnub up`",
        )
    return found


def sample_database() -> str:
    """Return the address of the sample database: ``SOURCES_DATABASE_URL``, else the platform's."""
    settings = load_settings()
    return settings.environment.get("SOURCES_DATABASE_URL") or own_database_url(settings)


def _find_project(program: Path) -> None:
    """Let a program that is started from another folder find the project that it is part of."""
    if not os.environ.get("AIRNUB_PROJECT_ROOT"):
        os.environ["AIRNUB_PROJECT_ROOT"] = str(find_project_root(program))


def _quieten_tracebacks() -> None:
    """Keep Prefect from printing the traceback of an error that is told in one line."""
    setup_logging()  # later calls leave its handlers as they are
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_OneLine(handler.formatter or logging.Formatter()))


class _OneLine(logging.Formatter):
    """What another formatter makes of a record, without its traceback."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy: other handlers, such as that of the API, keep the traceback."""
        fields = {**vars(record), "exc_info": None, "exc_text": None}
        return self._inner.format(logging.makeLogRecord(fields))


def _show(error: Exception) -> int:
    if not all(isinstance(leaf, StarterError) for leaf in leaves_of(error)):
        traceback.print_exception(error)
        sys.stderr.write("error: This is a bug. Report it with the lines above\n")
        return EXIT_BUG
    sys.stderr.writelines(error_lines(error))
    return exit_code_of(error)
