"""``airnub config``: the YAML files, and the Prefect Variables that are made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from airnub_prefect_starter.cli.context import connect, settings_and_catalog
from airnub_prefect_starter.cli.differences import (
    DepartmentsOption,
    ServerOption,
    connected,
    planned,
    show_drift,
    show_plan,
)
from airnub_prefect_starter.cli.output import JsonOption, progress, say, show_json
from airnub_prefect_starter.cli.platform import register, show_summary
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import parse_deployment
from airnub_prefect_starter.control.category_configs import load_section, load_variables
from airnub_prefect_starter.core.cluster import JobSpec
from airnub_prefect_starter.core.generic_flows import load_generic_flows
from airnub_prefect_starter.core.placement import require_room

if TYPE_CHECKING:
    from airnub_prefect_starter.control.reconcile import Summary

app = typer.Typer(no_args_is_help=True, help="Check, show and apply configuration.")

# `check` reads files alone: an address that only a running platform knows must not stop it.
_NO_ADDRESS = {
    "SOURCES_URL": "http://sources.invalid",
    "SOURCES_DATABASE_URL": "postgresql://reader@sources.invalid/sources",
    "WAREHOUSE_URL": "none",
}


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Check every YAML file against its model; exit 3 names each mistake's file, line and column.

    Example: airnub config check
    """
    settings, catalog = settings_and_catalog()
    require_room(catalog, JobSpec())
    load_generic_flows(catalog.root)
    environment = {**_NO_ADDRESS, **settings.environment}
    variables = load_variables(catalog, settings.model_copy(update={"environment": environment}))
    files = [str(category.config_file) for category in catalog.categories]
    if as_json:
        show_json({"files": files, "variables": sorted(n for v in variables.values() for n in v)})
        return
    say(f"{len(catalog.entries)} departments and {len(files)} categories are in order")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="DEPT.STAGE or DEPT.STAGE.CATEGORY.")],
    as_json: JsonOption = False,  # noqa: ARG001 - it always is; accepted so that scripts need not know
) -> None:
    """Show a stage's or category's configuration as a run gets it, addresses resolved, as JSON.

    Example: airnub config show project_alpha.ingestion
    """
    settings, catalog = settings_and_catalog()
    department, stage, category = parse_deployment(name)
    entry = catalog.department(department)
    if category:
        named = entry.category(stage, category)
        show_json(load_section(named, catalog, connect(settings)))
        return
    categories = entry.categories(entry.stage(stage).id)
    settings = connect(settings)
    show_json({each.id: load_section(each, catalog, settings) for each in categories})


@app.command()
def apply(
    command: typer.Context,
    only: Annotated[
        Literal["variables", "blocks"] | None, typer.Option(help="Only one kind.")
    ] = None,
    with_docker: Annotated[
        bool, typer.Option("--with-docker", help="Also create the Docker work pool.")
    ] = False,
    departments: DepartmentsOption = None,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring Variables and Blocks on the server to what Git says.

    Example: airnub config apply --only variables
    """
    if departments:
        if with_docker:
            raise ConfigError("--department and --with-docker are both given", "Give one of them")
        summary = _apply_some(command, departments, _KINDS[only], on)
        show_summary(summary, as_json=as_json)
        return
    settings, catalog = settings_and_catalog()
    settings = connected(command, settings, on)
    kinds = (*_KINDS[only], "work pool") if with_docker else _KINDS[only]
    summary = register(catalog, settings, kinds=kinds, with_docker=with_docker)
    show_summary(summary, as_json=as_json)


def _apply_some(
    command: typer.Context,
    departments: Collection[str],
    kinds: Collection[str],
    on: Literal["k8s"] | None,
) -> Summary:
    found, settings = planned(command, "config", departments, on=on, kinds=kinds)
    # Deferred: importing Prefect takes a second, and `planned` must have come first.
    from airnub_prefect_starter.control.bootstrap import carry_out

    return carry_out(found, settings=settings, on_progress=progress)


@app.command()
def plan(
    command: typer.Context,
    departments: DepartmentsOption = None,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what apply would change in Variables and Blocks; exit 4 if there is something.

    Example: airnub config plan --department project_beta
    """
    found, _ = planned(command, "config", departments, on=on)
    show_plan(found, remedy=_APPLY, as_json=as_json)


@app.command()
def drift(
    command: typer.Context,
    departments: DepartmentsOption = None,
    on: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show in what Variables and Blocks on the server differ from Git; exit 4 if they do.

    The comparison is that of plan, told from the server's side: once Git has been applied, each
    difference was made on the server.

    Example: airnub config drift
    """
    found, _ = planned(command, "config", departments, on=on)
    show_drift(found, remedy=_APPLY, as_json=as_json)


_APPLY = "Run `airnub config apply`"
_KINDS: Mapping[str | None, tuple[str, ...]] = {
    "variables": ("variable",),
    "blocks": ("block type", "block"),
    None: ("variable", "block type", "block"),
}
