"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.ingestion.config import IngestionConfig
from flows.dept_customer_churn.ingestion.customer_data.ingest_customer_data_flow_dept_customer_churn import (  # noqa: E501
    ingest_customer_data_flow_dept_customer_churn,
)

STAGE = DEPARTMENT.stage("ingestion")


@flow(name=STAGE.flow_name)
def ingestion_flow_dept_customer_churn(
    config: IngestionConfig | None = None, date: dt.date | None = None
) -> list[list[SourceResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, IngestionConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "customer_data": Subflow(
                ingest_customer_data_flow_dept_customer_churn, config.customer_data
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    ingestion_flow_dept_customer_churn()
