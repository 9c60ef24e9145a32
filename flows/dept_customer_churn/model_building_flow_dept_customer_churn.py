"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.ml.promotion import Promotion
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.model_building.config import ModelBuildingConfig
from flows.dept_customer_churn.model_building.training.train_models_flow_dept_customer_churn import (  # noqa: E501
    train_models_flow_dept_customer_churn,
)

STAGE = DEPARTMENT.stage("model_building")


@flow(name=STAGE.flow_name)
def model_building_flow_dept_customer_churn(
    config: ModelBuildingConfig | None = None, date: dt.date | None = None
) -> list[list[Promotion]]:
    """Run all categories concurrently; a model that misses a gate fails the run."""
    config = stage_config(STAGE, ModelBuildingConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "training": Subflow(train_models_flow_dept_customer_churn, config.training),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    model_building_flow_dept_customer_churn()
