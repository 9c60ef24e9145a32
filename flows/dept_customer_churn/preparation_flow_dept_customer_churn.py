"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.preparation.clean_and_merge.prepare_customers_flow_dept_customer_churn import (  # noqa: E501
    prepare_customers_flow_dept_customer_churn,
)
from flows.dept_customer_churn.preparation.config import PreparationConfig

STAGE = DEPARTMENT.stage("preparation")


@flow(name=STAGE.flow_name)
def preparation_flow_dept_customer_churn(
    config: PreparationConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, PreparationConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "clean_and_merge": Subflow(
                prepare_customers_flow_dept_customer_churn, config.clean_and_merge
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    preparation_flow_dept_customer_churn()
