"""Drift of the server from Git, as a run of a flow finds and tells it."""

from __future__ import annotations

import logging
from dataclasses import replace

from prefect.events import emit_event

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control.bootstrap import plan_bootstrap
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.control.reconcile import Plan
from airnub_prefect_starter.control.wording import drift_lines, drift_total
from airnub_prefect_starter.core.departments import load_catalog

EVENT = "airnub.drift.found"
_MOST_LINES = 100  # an event may have 1.5 MB
_MOST_RELATED = 90  # an event may have 100, and Prefect adds the run with what it belongs to

_logger = logging.getLogger(__name__)


def compare_with_git() -> Plan:
    """Compare everything that Prefect has with the project in which this runs.

    Secret blocks are left out where the environment does not have what fills them.

    Raises:
        ConfigError: The configuration is wrong. No retry.
        PlatformError: The server cannot be used.
    """
    settings = load_settings()
    desired = desired_state(load_catalog(settings), settings, with_object_store=False)
    known = tuple(each for each in desired.secrets if each.value is not None)
    return plan_bootstrap(
        replace(desired, secrets=known), settings=settings, on_progress=_logger.info
    )


def emit_drift(plan: Plan) -> None:
    """Emit an event that names the departments of what differs; none if nothing does."""
    if not plan.changes:
        return
    owners = sorted({owner for change in plan.changes for owner in change.owners})
    emit_event(
        event=EVENT,
        resource={"prefect.resource.id": "airnub.registered", "prefect.resource.name": "airnub"},
        related=[
            {
                "prefect.resource.id": f"airnub.department.{owner}",
                "prefect.resource.role": "department",
                "prefect.resource.name": owner,
            }
            for owner in owners[:_MOST_RELATED]
        ],
        payload={
            "summary": drift_total(plan.changes, plan.unchanged),
            "departments": owners,
            "differences": [*drift_lines(plan.changes)][:_MOST_LINES],
        },
    )
