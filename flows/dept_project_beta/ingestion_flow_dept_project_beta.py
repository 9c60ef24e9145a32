"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_project_beta import DEPARTMENT
from flows.dept_project_beta.ingestion.config import IngestionConfig
from flows.dept_project_beta.ingestion.daily_flights.download_daily_flights_flow_dept_project_beta import (  # noqa: E501
    download_daily_flights_flow_dept_project_beta,
)
from flows.dept_project_beta.ingestion.reference_files.download_reference_files_flow_dept_project_beta import (  # noqa: E501
    download_reference_files_flow_dept_project_beta,
)

STAGE = DEPARTMENT.stage("ingestion")


@flow(name=STAGE.flow_name)
def ingestion_flow_dept_project_beta(
    config: IngestionConfig | None = None, date: dt.date | None = None
) -> list[list[SourceResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, IngestionConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "reference_files": Subflow(
                download_reference_files_flow_dept_project_beta, config.reference_files
            ),
            "daily_flights": Subflow(
                download_daily_flights_flow_dept_project_beta, config.daily_flights
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    ingestion_flow_dept_project_beta()
