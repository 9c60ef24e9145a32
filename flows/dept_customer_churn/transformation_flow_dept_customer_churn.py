"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.transformation.config import TransformationConfig
from flows.dept_customer_churn.transformation.feature_store.build_features_flow_dept_customer_churn import (  # noqa: E501
    build_features_flow_dept_customer_churn,
)

STAGE = DEPARTMENT.stage("transformation")


@flow(name=STAGE.flow_name)
def transformation_flow_dept_customer_churn(
    config: TransformationConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, TransformationConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "feature_store": Subflow(build_features_flow_dept_customer_churn, config.feature_store),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    transformation_flow_dept_customer_churn()
