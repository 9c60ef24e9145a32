"""Runs of flows of no department: ``airnub run generic FLOW``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airnub_prefect_starter.cli.output import progress
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.common.names import GENERIC, GenericFlow
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.generic_flows import load_generic_flows

if TYPE_CHECKING:
    from airnub_prefect_starter.control.runs import RunSummary


def generic_flow(root: Path, name: str | None, *, changed: bool) -> GenericFlow:
    """Find the flow that a command names.

    Args:
        root: The project's root.
        name: What stands after ``generic``.
        changed: Whether the run is to have a date or another configuration.

    Raises:
        UnknownNameError: There is none of that name. No retry.
        ConfigError: None is named, or it has nothing to change. No retry.
    """
    flows = {flow.id: flow for flow, _ in load_generic_flows(root).named()}
    if name is None:
        raise ConfigError("No generic flow is named", f"Known: {', '.join(flows) or 'none'}")
    if name not in flows:
        raise unknown(f"{GENERIC} flow", name, flows)
    if changed:
        raise ConfigError(f"{flows[name].deployment} has no parameters", "Leave the options out")
    return flows[name]


def run_generic(flow: GenericFlow, settings: Settings) -> RunSummary:
    """Run one and follow it; needs connected settings.

    Raises:
        PlatformError: The server cannot be used.
    """
    # Deferred: importing Prefect takes a second, and `connect` must have come first.
    from airnub_prefect_starter.control.bootstrap import connect
    from airnub_prefect_starter.control.runs import follow_run, start_run

    with connect(settings, progress) as client:
        run_id = start_run(client, f"{flow.flow_name}/{flow.deployment}", {})
        return follow_run(client, run_id, progress)
