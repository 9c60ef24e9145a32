"""``airnub up | down | status | bootstrap``: the embedded platform, and what is registered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from airnub_prefect_starter.cli.context import (
    connect,
    connect_embedded,
    settings_and_catalog,
)
from airnub_prefect_starter.cli.output import JsonOption, progress, say, show_json, show_table
from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control import platform as embedded
from airnub_prefect_starter.control.platform import PlatformStatus
from airnub_prefect_starter.core.departments import Catalog

if TYPE_CHECKING:
    from airnub_prefect_starter.control.reconcile import Summary

PortOption = Annotated[
    int | None, typer.Option(help="Port of the server; any free one by default.", min=1, max=65535)
]


def up(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Start the embedded server, a worker and the sample sources, and register everything.

    What already runs is left alone. State lives in .airnub/ and on no other server.

    Example: airnub up
    """
    settings, catalog = settings_and_catalog()
    status, _ = start(settings, catalog, port)
    _show_status(status, as_json=as_json)


def start(
    settings: Settings, catalog: Catalog, port: int | None = None
) -> tuple[PlatformStatus, Settings]:
    """Start what does not run yet and register what is not registered yet, on no other server.

    Returns:
        What runs now, and the settings that hold there.

    Raises:
        PlatformError: Something does not start.
    """
    status = embedded.up(settings, port=port, on_progress=progress)
    if status.state is None:
        raise PlatformError("The platform forgot its ports", "Run `airnub up` again")
    connected = connect_embedded(settings, status.state)
    register(catalog, connected)
    return status, connected


def register(
    catalog: Catalog,
    settings: Settings,
    *,
    kinds: Collection[str] | None = None,
    with_docker: bool = False,
) -> Summary:
    """Bring the server to what Git says; needs connected settings.

    Args:
        catalog: The departments.
        settings: What `connect` returned.
        kinds: Names of the kinds of objects to look at; None for all.
        with_docker: Also create the Docker work pool.
    """
    # Deferred: importing Prefect takes a second, and `connect` must have come first.
    from airnub_prefect_starter.control import bootstrap as control
    from airnub_prefect_starter.control.from_departments import DOCKER_POOL, desired_state

    desired = desired_state(catalog, settings)
    if with_docker:
        desired = replace(desired, pools=(*desired.pools, DOCKER_POOL))
    return control.bootstrap(desired, settings=settings, on_progress=progress, kinds=kinds)


def down(as_json: JsonOption = False) -> None:
    """Stop what `airnub up` started; what was stored and registered stays.

    Example: airnub down
    """
    ended = embedded.down(load_settings(), on_progress=progress)
    if as_json:
        show_json({"stopped": list(ended)})
    else:
        say(f"stopped: {', '.join(ended)}" if ended else "nothing was running")


def status(as_json: JsonOption = False) -> None:
    """Show what runs; exit 6 if something does not.

    Example: airnub status
    """
    found = embedded.status(load_settings())
    _show_status(found, as_json=as_json)
    if not found.running:
        raise PlatformError("The embedded platform is not running", "Run `airnub up`")


def _show_status(status: PlatformStatus, *, as_json: bool) -> None:
    if as_json:
        processes = {each.name: each.pid for each in status.processes}
        show_json({"ui": status.state and status.state.ui_url, "processes": processes})
        return
    show_table(
        "",
        ("process", "pid", "log"),
        [(each.name, str(each.pid or "not running"), each.log) for each in status.processes],
    )
    if status.state and status.running:
        say(f"UI       {status.state.ui_url}")
        say(f"sources  {status.sources_url}")


def bootstrap(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 4 if there is something to do.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Register block types, blocks, variables, pool, queues, limits, deployments, automations.

    A second run changes nothing. Only objects that carry the project's tag are ever removed.
    Where AIRNUB_CLUSTER_FILE is set, runs become Kubernetes Jobs, and the embedded object store
    gets its bucket and a key for each department.

    Example: airnub bootstrap --check
    """
    settings, catalog = settings_and_catalog()
    settings = connect(settings)
    if check:
        _require_nothing_to_do(catalog, settings)
        show_json({"changes": []}) if as_json else say("nothing to do")
        return
    show_summary(register(catalog, settings), as_json=as_json)


def _require_nothing_to_do(catalog: Catalog, settings: Settings) -> None:
    # Deferred as in `register`.
    from airnub_prefect_starter.control.bootstrap import plan_bootstrap
    from airnub_prefect_starter.control.from_departments import desired_state

    desired = desired_state(catalog, settings)
    plan_bootstrap(desired, settings=settings, on_progress=progress).require_none()


def show_summary(summary: Summary, *, as_json: bool) -> None:
    """Print what a reconciliation did."""
    if as_json:
        show_json(asdict(summary))
    else:
        say(str(summary))
