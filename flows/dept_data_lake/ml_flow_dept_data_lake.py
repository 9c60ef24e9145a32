"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.ml.config import MlConfig
from flows.dept_data_lake.ml.feature_engineering.engineer_features_flow_dept_data_lake import (
    engineer_features_flow_dept_data_lake,
)

STAGE = DEPARTMENT.stage("ml")


@flow(name=STAGE.flow_name)
def ml_flow_dept_data_lake(
    config: MlConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, MlConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "feature_engineering": Subflow(
                engineer_features_flow_dept_data_lake, config.feature_engineering
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    ml_flow_dept_data_lake()
