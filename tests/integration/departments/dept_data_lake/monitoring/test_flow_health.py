"""What a run of the category measures of the department's runs."""

import json

import pytest
from prefect import flow, tags

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.monitoring.flow_config import BusinessMetric
from airnub_prefect_starter.core.monitoring.run_metrics import FLOW_RUNS
from airnub_prefect_starter.core.store import Store
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.monitoring.flow_health.config import CATEGORY, FlowHealthConfig
from flows.dept_data_lake.monitoring.flow_health.measure_flow_health_flow_dept_data_lake import (
    measure_flow_health_flow_dept_data_lake,
)

ETL = DEPARTMENT.stage("processing").category("lake_etl", "refine_lake")
FLIGHTS = BusinessMetric(
    name="Flights", table="gold/days", kind="number", sql="SELECT sum(flights) AS value FROM t"
)
GONE = FLIGHTS.model_copy(update={"name": "Gone", "table": "gold/gone"})


@flow(persist_result=False)
def some_flow(fails: bool) -> None:
    if fails:
        raise ValueError("So it is")


@pytest.fixture
def runs(prefect_server: None) -> None:
    """Leave three runs of one category, of which one failed, and one of monitoring itself."""
    with tags(*ETL.tags):
        for fails in (False, True, False):
            some_flow(fails, return_state=True)
    with tags(*CATEGORY.tags):
        some_flow(fails=True, return_state=True)


def test_runs_are_measured_and_kept_once(runs: None, store: Store) -> None:
    config = FlowHealthConfig(business=(FLIGHTS, GONE))
    for _ in range(2):
        state = measure_flow_health_flow_dept_data_lake(config, return_state=True)

        assert state.is_completed(), state.message
        (result,) = state.result()
        report = json.loads(store.read_blob(result.outputs[0].blob.digest))
        (summary,) = [each for each in report["summaries"] if each["subject"] == ETL.namespace]
        assert summary["runs"] == 3
        assert summary["success_rate"] == pytest.approx(2 / 3, abs=1e-3)
        assert [each["subject"] for each in report["summaries"]] == [ETL.namespace]
        assert [(each["name"], each["values"]) for each in report["figures"]] == [
            ("Flights", [8130.0])
        ]
    assert len(Lake.of(store).read(FLOW_RUNS)) == 3
