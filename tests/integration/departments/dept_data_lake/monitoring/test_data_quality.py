"""What a run of the category stores, how it ends, and what the stage makes of its findings."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import State
from pydantic import SecretStr

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lineage import trace
from airnub_prefect_starter.core.manifest_models import DerivedManifest
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig, Route
from airnub_prefect_starter.core.monitoring.alerts import read_alerts
from airnub_prefect_starter.core.monitoring.config import SeriesWatch, TableWatch
from airnub_prefect_starter.core.monitoring.flow_config import BusinessMetric
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.tasks import alerting
from flows.dept_data_lake.monitoring.config import MonitoringConfig
from flows.dept_data_lake.monitoring.data_quality.check_data_quality_flow_dept_data_lake import (
    check_data_quality_flow_dept_data_lake,
)
from flows.dept_data_lake.monitoring.data_quality.config import CATEGORY, DataQualityConfig
from flows.dept_data_lake.monitoring.flow_health.config import FlowHealthConfig
from flows.dept_data_lake.monitoring_flow_dept_data_lake import (
    STAGE,
    monitoring_flow_dept_data_lake,
)
from tests.alert_servers import Inbox, webhook
from tests.integration.departments.dept_data_lake.monitoring.conftest import put_days
from tests.integration.departments.kit import shown

DAYS = TableWatch(table="gold/days", key=("day",))
ABSENT = TableWatch(table="silver/flights")
SERIES = SeriesWatch(
    name="flights per day",
    table="gold/days",
    sql="SELECT day AS label, flights AS value FROM t ORDER BY day",
)
HOOK = Route(sink="webhook", level="critical", secret="alerts-webhook")  # noqa: S106 - a name
HEALTH = FlowHealthConfig(
    business=(
        BusinessMetric(name="Flights per day", table="gold/days", kind="series", sql=SERIES.sql),
        BusinessMetric(
            name="Flights", table="gold/days", kind="number", sql="SELECT sum(flights) value FROM t"
        ),
    )
)


def _quality(
    *tables: TableWatch, routes: tuple[Route, ...] = (Route(sink="log"),)
) -> DataQualityConfig:
    return DataQualityConfig(tables=tables, series=(SERIES,), alerts=AlertsConfig(routes=routes))


def _run(config: DataQualityConfig) -> State[object]:
    stage = MonitoringConfig(data_quality=config, flow_health=HEALTH)
    # The flow returns a state itself, which Prefect's types take for its result.
    state: Any = monitoring_flow_dept_data_lake(stage, return_state=True)
    return state  # type: ignore[no-any-return]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """Serve the webhook, whose address is a secret of the department."""
    with webhook() as inbox:
        monkeypatch.setattr(alerting, "department_secret", lambda *_: SecretStr(inbox.address))
        yield inbox


def test_a_sound_table_completes(store: Store) -> None:
    state = check_data_quality_flow_dept_data_lake(_quality(DAYS), return_state=True)

    assert state.is_completed(), state.message
    (result,) = state.result()
    report = json.loads(store.read_blob(result.outputs[0].blob.digest))
    assert report["health"]["score"] == 100
    assert "checks found nothing" in shown(artifact_key(CATEGORY.deployment, "report"))


def test_something_critical_fails_the_run_after_its_report(store: Store) -> None:
    state = check_data_quality_flow_dept_data_lake(_quality(DAYS, ABSENT), return_state=True)

    assert state.is_failed()
    assert "1 critical: presence of silver/flights" in (state.message or "")
    assert "silver/flights" in shown(artifact_key(CATEGORY.deployment, "report"))
    assert store.ref(CATEGORY.namespace, "report") is not None


def test_a_stage_with_warnings_completes_and_says_so(store: Store) -> None:
    put_days(store, [900, 910, 905, 890, 915, 900, 908, 903, 634])

    state = _run(_quality(DAYS))

    assert state.is_completed(), state.message
    assert (state.message or "").endswith("1 warning")
    assert [(each.sink, each.level) for each in read_alerts(Lake.of(store))] == [("log", "warning")]
    assert "flights per day 8" in shown(artifact_key(STAGE.deployment, "alerts"))


def test_something_critical_is_told_and_drawn_before_the_stage_fails(
    store: Store, hook: Inbox
) -> None:
    state = _run(_quality(DAYS, ABSENT, routes=(Route(sink="event"), HOOK)))

    assert state.is_failed()
    assert "silver/flights" in (state.message or "")
    assert [message["text"] for message in hook.messages] == ["Data Lake: 1 critical"]
    ref = store.ref("monitoring", "dashboard")
    assert ref is not None
    manifest = store.manifest(ref.manifest.digest)
    assert isinstance(manifest, DerivedManifest)
    page = store.read_blob(manifest.outputs[0].blob.digest).decode()
    assert "There is no such table" in page
    assert "Flights per day" in page
    assert "data:image/png" in shown(artifact_key(STAGE.deployment, "dashboard"))
    made_of = {node.label for node in trace(store, "monitoring/dashboard").made_of}
    assert len(made_of) == 3  # both reports, and the run


def test_an_alert_is_not_sent_twice(store: Store, hook: Inbox) -> None:
    config = _quality(ABSENT, routes=(HOOK,))
    for _ in range(2):
        _run(config)

    assert len(hook.messages) == 1
    assert [each.count for each in read_alerts(Lake.of(store))] == [2]


def test_a_sink_that_fails_fails_the_run_by_name_and_loses_the_others_nothing(
    store: Store, hook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.answer = 500
    monkeypatch.setattr(alerting.send_task, "retries", 0)
    put_days(store, [900, 910, 905, 890, 915, 900, 908, 903, 634])
    warned = HOOK.model_copy(update={"level": "warning"})

    state = _run(_quality(DAYS, routes=(Route(sink="log"), warned)))

    assert state.is_failed()
    assert "webhook:alerts-webhook: AlertDeliveryError" in (state.message or "")
    assert "secret-token" not in (state.message or "")
    sent = {each.sink: each.last_sent for each in read_alerts(Lake.of(store))}
    assert sent["log"] is not None
    assert sent["webhook:alerts-webhook"] is None
