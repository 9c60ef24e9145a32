"""Rules that give a final state to runs that Kubernetes or the worker has lost.

Prefect itself leaves them for ever in the state in which they were lost, with their slots taken.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import JsonValue

from airnub_prefect_starter.common.names import MANAGED_TAG
from airnub_prefect_starter.control.desired import EventRuleSpec
from airnub_prefect_starter.core.cluster import SelfHealing

ZOMBIE, STUCK_START, BAD_IMAGE = (
    f"self-healing: {what}" for what in ("zombie run", "stuck start", "bad image")
)
_EVENT = "prefect.flow-run."
_STARTING = ("Pending", "Submitting", "InfrastructurePending")


def self_healing(windows: SelfHealing, namespaces: Collection[str]) -> tuple[EventRuleSpec, ...]:
    """Describe the rules.

    Args:
        windows: How long each may take.
        namespaces: Namespaces of the departments, with the release's name.
    """
    return (
        silent_run(windows.zombie_seconds),
        stuck_start(windows.stuck_start_seconds),
        bad_image(namespaces),
    )


def silent_run(within_s: int) -> EventRuleSpec:
    """Crash a run whose heartbeats end without a final state: its process was killed."""
    return EventRuleSpec(
        name=ZOMBIE,
        description=f"Crashes a run that has sent no heartbeat for {within_s} s",
        trigger=_silence(("heartbeat",), within_s),
        action=_crash(
            f"The run sent no heartbeat for {within_s} s: its pod was killed or lost. "
            "What it stored is kept: run it again. Why it ended: docs/kubectl.md"
        ),
    )


def stuck_start(within_s: int) -> EventRuleSpec:
    """Cancel a run that was taken by a worker and does not begin.

    Not crash: its Job would stay, and Prefect lets a crashed run begin after all.
    """
    return EventRuleSpec(
        name=STUCK_START,
        description=f"Cancels a run that has not begun {within_s} s after a worker took it",
        trigger=_silence(_STARTING, within_s),
        action=_cancel(
            f"The run did not begin in {within_s} s: no room for its pod, a Secret is missing, or "
            "the worker ended before it made the Job. Look at the events of the department's "
            "namespace (docs/kubectl.md), and run it again"
        ),
    )


def bad_image(namespaces: Collection[str]) -> EventRuleSpec:
    """Cancel a run whose image cannot be pulled; the worker then deletes its Job."""
    return EventRuleSpec(
        name=BAD_IMAGE,
        description="Cancels a run whose image cannot be pulled",
        trigger={
            "type": "event",
            "posture": "Reactive",
            "match": {
                "prefect.resource.id": "prefect.kubernetes.pod.*",
                "kubernetes.diagnosis": "ImagePullError",
                "kubernetes.namespace": [*sorted(namespaces)],
            },
            "expect": ["prefect.kubernetes.pod.pending"],
            # The pod's next pull fails in the same event: it is told once.
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": 0,
        },
        action=_cancel(
            "The image of the run cannot be pulled. Compare the job variable `image` of the "
            "deployment and the work pool with the registry (docs/kubectl.md), and run it again"
        ),
    )


def _silence(after: Collection[str], within_s: int) -> dict[str, JsonValue]:
    """Describe: one of our runs had one of some events, and then none at all for a time."""
    return {
        "type": "event",
        "posture": "Proactive",
        "match": {"prefect.resource.id": f"{_EVENT}*"},
        "match_related": {
            "prefect.resource.id": f"prefect.tag.{MANAGED_TAG}",
            "prefect.resource.role": "tag",
        },
        "after": [f"{_EVENT}{name}" for name in after],
        "expect": [f"{_EVENT}*"],
        "for_each": ["prefect.resource.id"],
        "threshold": 1,
        "within": within_s,
    }


def _crash(message: str) -> dict[str, JsonValue]:
    return _change("CRASHED", "Crashed", message)


def _cancel(message: str) -> dict[str, JsonValue]:
    # The worker deletes the Job, if there is one, and ends the run with a message of its own: ours
    # stays in the history of the run's states.
    return _change("CANCELLING", "Cancelling", message)


def _change(state: str, name: str, message: str) -> dict[str, JsonValue]:
    return {
        "type": "change-flow-run-state",
        "state": state,
        "name": name,
        "message": message,
        "force": False,
    }
