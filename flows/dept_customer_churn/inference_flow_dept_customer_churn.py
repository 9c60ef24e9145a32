"""Parent flow of the stage: scores, a comparison and drift at once, then alerts."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.alerting import route_alerts
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.drift import drift_findings
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.inference.ab_comparison.compare_models_flow_dept_customer_churn import (  # noqa: E501
    compare_models_flow_dept_customer_churn,
)
from flows.dept_customer_churn.inference.batch_scoring.score_customers_flow_dept_customer_churn import (  # noqa: E501
    score_customers_flow_dept_customer_churn,
)
from flows.dept_customer_churn.inference.config import InferenceConfig
from flows.dept_customer_churn.inference.drift.config import CATEGORY as DRIFT
from flows.dept_customer_churn.inference.drift.watch_drift_flow_dept_customer_churn import (
    watch_drift_flow_dept_customer_churn,
)

STAGE = DEPARTMENT.stage("inference")


@flow(name=STAGE.flow_name)
def inference_flow_dept_customer_churn(
    config: InferenceConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Score, compare, look for drift and tell; critical drift fails the run when all is kept."""
    config = stage_config(STAGE, InferenceConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "batch_scoring": Subflow(
                score_customers_flow_dept_customer_churn, config.batch_scoring
            ),
            "ab_comparison": Subflow(compare_models_flow_dept_customer_churn, config.ab_comparison),
            "drift": Subflow(watch_drift_flow_dept_customer_churn, config.drift),
        },
    )
    sent = route_alerts(STAGE, config.drift.alerts, drift_findings(DRIFT, outcomes))
    publish_stage(STAGE, outcomes.checked_by(sent))
    return outcomes.checked_by(sent).require_all()


if __name__ == "__main__":
    inference_flow_dept_customer_churn()
