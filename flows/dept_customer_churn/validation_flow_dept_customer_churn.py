"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.validation.config import ValidationConfig
from flows.dept_customer_churn.validation.contracts.validate_sources_flow_dept_customer_churn import (  # noqa: E501
    validate_sources_flow_dept_customer_churn,
)

STAGE = DEPARTMENT.stage("validation")


@flow(name=STAGE.flow_name)
def validation_flow_dept_customer_churn(
    config: ValidationConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, ValidationConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "contracts": Subflow(validate_sources_flow_dept_customer_churn, config.contracts),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    validation_flow_dept_customer_churn()
