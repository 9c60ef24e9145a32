"""The ``airnub`` command: arguments and messages only.

One module per command group. `main` is the only place that turns errors into exit codes: what this
project raises on purpose is one line with its remedy; anything else is a bug and a traceback.
"""

from __future__ import annotations

import logging
import sys
import traceback
from functools import cache

import typer
from typer.main import get_command

from airnub_prefect_starter.cli import (
    add,
    backfill,
    config,
    demo,
    deploy,
    doctor,
    k8s,
    lake,
    platform,
    render,
    reproduce,
    run,
    serve,
    store,
    trace,
)
from airnub_prefect_starter.cli.output import show_error
from airnub_prefect_starter.common.errors import EXIT_BUG, StarterError, exit_code_of

app = typer.Typer(
    name="airnub",
    help="Departments, stages and categories of Prefect flows, from sources to stored bytes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(platform.up)
app.command()(platform.down)
app.command()(platform.status)
app.command()(run.run)
app.command()(backfill.backfill)
app.command()(demo.demo)
app.command()(platform.bootstrap)
app.command()(render.render)
app.command()(trace.trace)
app.command()(serve.serve)
app.command()(reproduce.reproduce)
app.command()(doctor.doctor)
app.add_typer(add.app, name="add")
app.add_typer(k8s.app, name="k8s")
app.add_typer(config.app, name="config")
app.add_typer(deploy.app, name="deploy")
app.add_typer(store.app, name="store")
app.add_typer(lake.app, name="lake")


def main() -> None:
    """Run the command line and exit with the code of `common.errors`."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # It logs the traceback of each malformed answer; the error that follows says it in one line.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code; a usage error is shown by Typer (2)."""
    try:
        _compiled(app)(arguments, prog_name="airnub")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0
    except Exception as error:  # noqa: BLE001 - the last one who can tell: one line, or a traceback
        if _is_bug(error):
            traceback.print_exc()
            sys.stderr.write("error: This is a bug in airnub. Report it with the lines above\n")
            return EXIT_BUG
        show_error(error, as_json="--json" in arguments)
        return exit_code_of(error)
    return 0


# The tree of commands is made once; who runs several in one process saves 30 ms each.
_compiled = cache(get_command)


def _is_bug(error: Exception) -> bool:
    """Tell whether an error, or one of a group, is none that this project raises on purpose."""
    if isinstance(error, ExceptionGroup):
        return error.split(StarterError)[1] is not None
    return not isinstance(error, StarterError)
