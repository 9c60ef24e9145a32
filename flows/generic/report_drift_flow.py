"""Tell in what the server differs from Git."""

from prefect import State, flow
from prefect.states import Completed

from airnub_prefect_starter.common.names import GenericFlow
from airnub_prefect_starter.control.drift import compare_with_git, emit_drift
from airnub_prefect_starter.control.drift_report import drift_markdown
from airnub_prefect_starter.control.wording import drift_total
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.artifacts import publish_markdown

FLOW = GenericFlow("report_drift")


# Nothing here is worth keeping, and no store is at hand.
@flow(name=FLOW.flow_name, persist_result=False)
def report_drift_flow() -> State[None]:
    """Publish what differs as an artifact and an event; the run completes whether or not it does.

    Raises:
        ExceptionGroup: Something in Git is wrong in itself; each object is named. No retry.
    """
    plan = compare_with_git()
    publish_markdown(
        artifact_key(FLOW.deployment),
        drift_markdown("Drift from Git", plan.changes, plan.unchanged),
        "In what the server differs from Git",
    )
    emit_drift(plan)
    plan.require_sound()
    return Completed(message=drift_total(plan.changes, plan.unchanged))


if __name__ == "__main__":
    report_drift_flow()
