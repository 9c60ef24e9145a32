"""How every command speaks: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airnub_prefect_starter.common.errors import StarterError, error_lines, leaves_of

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

# A pipe or a CI log has no width: tables are laid out for a usual terminal there, not for 80.
_PIPE_WIDTH = 120
_LONGEST_PAUSE_S = 30.0


def _console(*, stderr: bool) -> Console:
    console = Console(highlight=False, soft_wrap=True, stderr=stderr)
    return (
        console
        if console.is_terminal
        else Console(highlight=False, soft_wrap=True, stderr=stderr, width=_PIPE_WIDTH)
    )


console = _console(stderr=False)
errors = _console(stderr=True)


def show_json(value: Any) -> None:
    """Print one JSON document to standard output; models become objects."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, sort_keys=True, default=str) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def say(text: str) -> None:
    """Print a line for people; markup in it is shown as it stands."""
    console.print(escape(text))


def progress(text: str) -> None:
    """Print what is going on to standard error, so that output stays parseable."""
    errors.print(escape(text), style="dim")


@contextmanager
def patience(doing: str, first_s: float = 2) -> Iterator[None]:
    """Say on standard error that something still goes on: after 2 seconds, then more rarely."""
    done = Event()
    teller = Thread(target=_tell, args=(doing, done, first_s), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(doing: str, done: Event, pause_s: float) -> None:
    started = time.monotonic()
    while not done.wait(pause_s):
        progress(f"{doing}: {time.monotonic() - started:.0f} s so far")
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def show_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells that are numbers stand to the right."""
    cells = [list(row) for row in rows]
    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for index, heading in enumerate(headings):
        numeric = bool(cells) and all(
            isinstance(row[index], int) or not row[index] for row in cells
        )
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(escape(f"{c:,}" if isinstance(c, int) else str(c)) for c in row))
    console.print(table)


def show_error(error: BaseException, *, as_json: bool) -> None:
    """Print every error of this project inside a group to standard error, a line per mistake."""
    if not as_json:
        sys.stderr.writelines(error_lines(error))
        return
    for leaf in leaves_of(error):
        if isinstance(leaf, StarterError):
            fields = {
                "error": type(leaf).__name__,
                "message": leaf.message,
                "remedy": leaf.remedy,
                "exit_code": leaf.exit_code,
            }
            sys.stderr.write(json.dumps(fields) + "\n")


def counted(number: int, what: str) -> str:
    """Give a number of things as people say it: ``1 blob``, ``2 blobs``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
