"""Alerts of a stage's run: decided once, sent to every sink on its own, and remembered."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from prefect import task
from prefect.events import emit_event

from airnub_prefect_starter.common.clock import utc_now
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Department, Stage
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig
from airnub_prefect_starter.core.monitoring.alerts import (
    ALERTS,
    Alert,
    Delivery,
    keep_alerts,
    plan_deliveries,
    read_alerts,
)
from airnub_prefect_starter.core.monitoring.markdown import alerts_markdown
from airnub_prefect_starter.core.monitoring.results import CheckResult
from airnub_prefect_starter.core.monitoring.sinks import (
    send_mail,
    send_to_log,
    send_to_webhook,
)
from airnub_prefect_starter.core.monitoring.steps import write_info
from airnub_prefect_starter.tasks.artifacts import publish_markdown
from airnub_prefect_starter.tasks.fan_out import Outcomes, describe_failure, fan_out
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_secret, department_store, run_info
from airnub_prefect_starter.tasks.writing import one_writer

RAISED, RESOLVED = "airnub.alert.raised", "airnub.alert.resolved"


def route_alerts(
    stage: Stage, config: AlertsConfig, findings: Mapping[str, Sequence[CheckResult]]
) -> Outcomes[int]:
    """Tell every sink what is due for it; one that fails loses the others nothing.

    Args:
        stage: Whose findings; its department's secrets hold the addresses.
        config: Routes and cool-down.
        findings: Category → all its results.

    Returns:
        Sink → number of alerts sent, or why it failed. What a sink was not told is due again.
    """
    now = utc_now()
    planned = plan_task(stage.department, config, findings, now)
    sent = fan_out(
        send_task, planned, name=lambda delivery: delivery.route.name, department=stage.department
    )
    kept = [
        alert
        for delivery in planned
        for alert in delivery.told(now, delivered=delivery.route.name in sent.results)
    ]
    remember_task(stage.department, kept)
    told = {
        name: f"{count} alerts" if count else "nothing due" for name, count in sent.results.items()
    }
    told |= {name: f"failed: {describe_failure(error)}" for name, error in sent.failures.items()}
    publish_markdown(
        artifact_key(stage.deployment, "alerts"),
        alerts_markdown(stage.flow_name, told, kept),
        f"Alerts of {stage.flow_name}",
    )
    return sent


@task(name="Plan Alerts", persist_result=False, **RETRY)
def plan_task(
    department: Department,
    config: AlertsConfig,
    findings: Mapping[str, Sequence[CheckResult]],
    now: datetime,
) -> list[Delivery]:
    """Decide what is due for each sink."""
    known = read_alerts(Lake.of(department_store(department)))
    return plan_deliveries(config, findings, known, now)


@task(name="Send Alerts", **RETRY)
def send_task(delivery: Delivery, department: Department) -> int:
    """Tell one sink what is due; nothing is sent where nothing is."""
    route, alerts = delivery.route, delivery.due
    title = department.display_name
    if not alerts:
        return 0
    if route.sink == "log":
        send_to_log(title, alerts)
    elif route.sink == "event":
        _emit(department, alerts)
    elif route.secret is None:
        raise ConfigError(f"The route {route.name} has no secret", "Add it")
    else:
        address = department_secret(department, route.secret)
        if route.sink == "webhook":
            send_to_webhook(title, alerts, address)
        else:
            send_mail(title, alerts, address, route.to, route.sender)
    return len(alerts)


@task(name="Remember Alerts", persist_result=False, **RETRY)
def remember_task(department: Department, alerts: Sequence[Alert]) -> None:
    """Keep what each sink was told."""
    info = write_info(run_info(), "\n".join(each.model_dump_json() for each in alerts))
    with one_writer(department, ALERTS):
        keep_alerts(Lake.of(department_store(department)), alerts, info)


def _emit(department: Department, alerts: Sequence[Alert]) -> None:
    """Emit an event per alert, on which automations may act; they name department and check."""
    for alert in alerts:
        emit_event(
            event=RAISED if alert.open else RESOLVED,
            resource={
                "prefect.resource.id": f"airnub.alert.{department.id}.{alert.fingerprint}",
                "prefect.resource.name": f"{alert.check} {alert.subject} {alert.column}".strip(),
                "airnub.level": alert.level,
                "airnub.check": alert.check,
            },
            related=[
                {
                    "prefect.resource.id": f"airnub.department.{department.id}",
                    "prefect.resource.role": "department",
                    "prefect.resource.name": department.id,
                }
            ],
            payload=alert.model_dump(mode="json"),
        )
