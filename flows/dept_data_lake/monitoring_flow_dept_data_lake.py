"""Parent flow of the monitoring stage: both measurements, then alerts and the dashboard."""

import datetime as dt

from prefect import State, flow
from prefect.states import Completed

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.alerting import route_alerts
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from airnub_prefect_starter.tasks.monitoring import findings_of, publish_dashboard, verdict
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.monitoring.config import MonitoringConfig
from flows.dept_data_lake.monitoring.data_quality.check_data_quality_flow_dept_data_lake import (
    check_data_quality_flow_dept_data_lake,
)
from flows.dept_data_lake.monitoring.flow_health.measure_flow_health_flow_dept_data_lake import (
    measure_flow_health_flow_dept_data_lake,
)

STAGE = DEPARTMENT.stage("monitoring")


@flow(name=STAGE.flow_name)
def monitoring_flow_dept_data_lake(
    config: MonitoringConfig | None = None, date: dt.date | None = None
) -> State[DerivedResult]:
    """Measure, tell, draw; then fail if something is critical or a sink was not reached."""
    config = stage_config(STAGE, MonitoringConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "data_quality": Subflow(check_data_quality_flow_dept_data_lake, config.data_quality),
            "flow_health": Subflow(measure_flow_health_flow_dept_data_lake, config.flow_health),
        },
    )
    findings = findings_of(STAGE, outcomes)
    sent = route_alerts(STAGE, config.data_quality.alerts, findings)
    dashboard = publish_dashboard(STAGE, outcomes.kept(), config.data_quality.score)
    publish_stage(STAGE, outcomes.checked_by(sent))
    outcomes.checked_by(sent).require_all()
    return Completed(message=verdict(findings), data=dashboard)


if __name__ == "__main__":
    monitoring_flow_dept_data_lake()
