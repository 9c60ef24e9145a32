"""Modules that people run: options by Typer, a line per error, an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    StarterError,
    error_lines,
    exit_code_of,
)
from airnub_prefect_starter.common.settings import find_project_root

RootOption = Annotated[
    Path | None, typer.Option(help="Folder with data/ and models/; the project's by default.")
]


def run_program(main: Callable[..., None]) -> NoReturn:
    """Run a module's ``main`` and exit: 0, or the code of `common.errors` after a line per error.

    The folder it is started in need not be one of the project. Anything that this project does not
    raise on purpose is a bug, and a traceback.
    """
    _find_project()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        command_line(main)()
    except* StarterError as errors:
        sys.stderr.writelines(error_lines(errors))
        sys.exit(exit_code_of(errors))
    sys.exit(0)


def command_line(main: Callable[..., None]) -> typer.Typer:
    """Make a command of a function whose arguments say what the options are."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(main)
    return app


def _find_project() -> None:
    """Let a module that is started elsewhere find the project that it is part of."""
    if os.environ.get("AIRNUB_PROJECT_ROOT"):
        return
    for start in (Path.cwd(), Path(__file__)):
        with suppress(ConfigError):
            os.environ["AIRNUB_PROJECT_ROOT"] = str(find_project_root(start))
            return


def say(text: str) -> None:
    """Print a line of what a program answers."""
    typer.echo(text)


def require(path: Path, module: str) -> Path:
    """Return the path of a file that an earlier module has written.

    Raises:
        ObjectNotFoundError: It is not there; the remedy names the module. No retry before that.
    """
    if not path.is_file():
        command = f"python -m airnub_prefect_starter.data_science.{module}"
        raise ObjectNotFoundError(f"There is no {path}", f"Run `{command}` first")
    return path
