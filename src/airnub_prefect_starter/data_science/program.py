"""Modules that people run: options by Typer, a line per error, an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    StarterError,
    exit_code_of,
)

RootOption = Annotated[
    Path | None, typer.Option(help="Folder with data/ and models/; the project's by default.")
]


def run_program(main: Callable[..., None]) -> NoReturn:
    """Run a module's ``main`` and exit: 0, or the code of `common.errors` after a line per error.

    Anything that this project does not raise on purpose is a bug, and a traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(main)
    try:
        app()
    except* StarterError as errors:
        for leaf in _leaves(errors):
            sys.stderr.writelines(f"error: {line}\n" for line in str(leaf).splitlines())
        sys.exit(exit_code_of(errors))
    sys.exit(0)


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


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
