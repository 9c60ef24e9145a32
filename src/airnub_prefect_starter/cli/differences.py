"""What ``airnub config`` and ``airnub deploy`` share: whose objects, how they differ."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from airnub_prefect_starter.cli.context import connect, settings_and_catalog
from airnub_prefect_starter.cli.output import counted, patience, progress, say, show_json
from airnub_prefect_starter.cli.remote import chosen_release, registering_on
from airnub_prefect_starter.common.errors import ConfigError, DifferencesError
from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.common.names import GENERIC
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.scope import EVERYTHING, Scope
from airnub_prefect_starter.control.wording import drift_lines, drift_total, plan_lines, plan_total
from airnub_prefect_starter.core.changes import changed_files, touched_departments
from airnub_prefect_starter.core.departments import Catalog

if TYPE_CHECKING:
    from airnub_prefect_starter.control.reconcile import Plan

DepartmentsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--department", "-d", metavar="DEPT", help="Only its objects; may be given repeatedly."
    ),
]
ServerOption = Annotated[
    Literal["k8s"] | None,
    typer.Option(
        "--on",
        help="The server of a Helm release: of AIRNUB_KUBE_CONTEXT, AIRNUB_RELEASE and "
        "AIRNUB_RELEASE_NAMESPACE.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="REF", help="Only departments whose files differ from this commit's."),
]


def planned(
    command: typer.Context,
    group: Literal["config", "deploy"],
    departments: Collection[str] | None,
    since: str | None = None,
    *,
    on: Literal["k8s"] | None = None,
    kinds: Collection[str] | None = None,
) -> tuple[Plan, Settings]:
    """Compare what a group of commands is about with what Git says.

    Args:
        command: The command that asks; at its end the server is let go.
        group: The group of commands.
        departments: Whose objects to look at; None for all.
        since: Instead of them, a commit: the departments that have changed since.
        on: Where the server is; None for the one that runs here or is named.
        kinds: Names of the kinds to look at; None for all of the group.

    Returns:
        The plan, and the settings that hold on the server.

    Raises:
        UnknownNameError: Neither Git nor the server knows such a department. No retry.
        ConfigError: The configuration is wrong, or Git cannot answer. No retry.
        PlatformError: The server cannot be used.
    """
    settings, catalog = settings_and_catalog()
    scope = _scope(settings, departments, since)
    settings = connected(command, settings, on)
    # Deferred: importing Prefect takes a second, and `connect` must have come first.
    from airnub_prefect_starter.control.bootstrap import GROUPS, plan_bootstrap
    from airnub_prefect_starter.control.from_departments import desired_state

    desired = desired_state(catalog, settings, with_object_store=False)
    with patience("Comparing with the server"):
        plan = plan_bootstrap(
            desired,
            settings=settings,
            on_progress=progress,
            kinds=GROUPS[group] if kinds is None else kinds,
            scope=scope,
        )
    _require_known(departments or (), catalog, plan)
    return plan, settings


def connected(command: typer.Context, settings: Settings, on: Literal["k8s"] | None) -> Settings:
    """Point this process at the server that is meant, until the command ends.

    Raises:
        PlatformError: It cannot be used.
    """
    if on is None:
        return connect(settings)
    release = chosen_release(settings, None, None, None)
    return command.with_resource(registering_on(settings, release))


def show_plan(plan: Plan, *, remedy: str, as_json: bool) -> None:
    """Print what there is to do.

    Raises:
        DifferencesError: There is something.
        ExceptionGroup: Something is wrong in itself; each object is named with its reason.
    """
    lines = (*plan_lines(plan.changes), plan_total(plan.changes, plan.unchanged))
    _show(plan, lines, remedy, as_json=as_json)


def show_drift(plan: Plan, *, remedy: str, as_json: bool) -> None:
    """Print in what the server differs from Git.

    Raises:
        DifferencesError: It does.
        ExceptionGroup: Something is wrong in itself; each object is named with its reason.
    """
    lines = (*drift_lines(plan.changes), drift_total(plan.changes, plan.unchanged))
    _show(plan, lines, remedy, as_json=as_json)


def as_data(plan: Plan) -> dict[str, Any]:
    """Give a plan as data."""
    return {"changes": [asdict(each) for each in plan.changes], "unchanged": plan.unchanged}


def _show(plan: Plan, lines: Collection[str], remedy: str, *, as_json: bool) -> None:
    if as_json:
        show_json(as_data(plan))
    else:
        for line in lines:
            say(line)
    plan.require_sound()
    if plan.changes:
        raise DifferencesError(counted(len(plan.changes), "difference"), remedy)


def _scope(settings: Settings, departments: Collection[str] | None, since: str | None) -> Scope:
    if departments and since is not None:
        raise ConfigError("--department and --changed-since are both given", "Give one of them")
    if since is not None:
        return _changed_since(settings, since)
    return Scope(frozenset(departments)) if departments else EVERYTHING


def _require_known(departments: Collection[str], catalog: Catalog, plan: Plan) -> None:
    # One that was removed is known by what the server still has of it.
    removed = {owner for change in plan.changes for owner in change.owners}
    for department in departments:
        if department not in {*catalog.entries, GENERIC, *removed}:
            raise unknown("department", department, catalog.entries)


def _changed_since(settings: Settings, since: str) -> Scope:
    touched = touched_departments(changed_files(settings.project_root, since))
    listed = "all departments: shared files" if touched is None else ", ".join(sorted(touched))
    progress(f"Changed since {since}: {listed or 'nothing that is registered'}")
    return Scope(touched)
