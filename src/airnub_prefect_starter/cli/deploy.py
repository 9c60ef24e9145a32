"""``airnub deploy``: deployments and what they need on the server, by department if wanted."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import Annotated

import typer

from airnub_prefect_starter.cli.differences import (
    DepartmentsOption,
    ServerOption,
    SinceOption,
    as_data,
    planned,
    show_drift,
    show_plan,
)
from airnub_prefect_starter.cli.output import JsonOption, progress, say, show_json
from airnub_prefect_starter.cli.release_values import values
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.control.wording import plan_lines, plan_total

app = typer.Typer(
    no_args_is_help=True,
    help="Work pools, queues, limits, deployments with schedules, and automations.",
)

app.command()(values)

_REMEDY = "Run `airnub deploy apply`; what is not wanted goes with `airnub deploy prune`"


@app.command()
def plan(
    command: typer.Context,
    departments: DepartmentsOption = None,
    changed_since: SinceOption = None,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what apply and prune would do; exit 4 if there is something.

    Example: airnub deploy plan --changed-since origin/main
    """
    found, _ = planned(command, "deploy", departments, changed_since, on=on)
    show_plan(found, remedy=_REMEDY, as_json=as_json)


@app.command()
def drift(
    command: typer.Context,
    departments: DepartmentsOption = None,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show in what the server differs from Git; exit 4 if it does.

    The comparison is that of plan, told from the server's side: once Git has been applied, each
    difference was made on the server.

    Example: airnub deploy drift -d project_beta
    """
    found, _ = planned(command, "deploy", departments, on=on)
    show_drift(found, remedy=_REMEDY, as_json=as_json)


@app.command()
def apply(
    command: typer.Context,
    departments: DepartmentsOption = None,
    changed_since: SinceOption = None,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create and update what differs; nothing is destroyed, see prune.

    Example: airnub deploy apply --department project_beta
    """
    # Deferred: importing Prefect takes a second, and `planned` must have come first.
    found, settings = planned(command, "deploy", departments, changed_since, on=on)
    from airnub_prefect_starter.control.bootstrap import carry_out

    left = found.only("delete")
    wanted = found.only("create", "update")
    summary = carry_out(wanted, settings=settings, on_progress=progress)
    if as_json:
        show_json({**asdict(summary), "left": as_data(left)["changes"]})
        return
    say(str(summary))
    for line in plan_lines(left.changes):
        say(line)
    if left.changes:
        say(f"{len(left.changes)} to destroy: run `airnub deploy prune`")


@app.command()
def prune(
    command: typer.Context,
    departments: DepartmentsOption = None,
    changed_since: SinceOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy what carries the project's mark and is no longer wanted; asks first.

    Example: airnub deploy prune --yes
    """
    found, settings = planned(command, "deploy", departments, changed_since, on=on)
    from airnub_prefect_starter.control.bootstrap import carry_out

    # What is wrong with the rest does not matter here.
    unwanted = replace(found.only("delete"), failures=())
    if not as_json:
        for line in (*plan_lines(unwanted.changes), plan_total(unwanted.changes, found.unchanged)):
            say(line)
    if unwanted.changes and not yes:
        _ask(len(unwanted.changes))
    summary = carry_out(unwanted, settings=settings, on_progress=progress)
    show_json(asdict(summary)) if as_json else say(str(summary))


def _ask(number: int) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(f"{number} objects would be destroyed", "Add --yes to destroy them")
    typer.confirm(f"Destroy {number} objects?", abort=True, err=True)
