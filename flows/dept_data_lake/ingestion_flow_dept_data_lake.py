"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.ingestion.article_files.ingest_article_files_flow_dept_data_lake import (
    ingest_article_files_flow_dept_data_lake,
)
from flows.dept_data_lake.ingestion.config import IngestionConfig
from flows.dept_data_lake.ingestion.flight_files.ingest_flight_files_flow_dept_data_lake import (
    ingest_flight_files_flow_dept_data_lake,
)
from flows.dept_data_lake.ingestion.public_api_data.ingest_public_api_data_flow_dept_data_lake import (  # noqa: E501
    ingest_public_api_data_flow_dept_data_lake,
)

STAGE = DEPARTMENT.stage("ingestion")


@flow(name=STAGE.flow_name)
def ingestion_flow_dept_data_lake(
    config: IngestionConfig | None = None, date: dt.date | None = None
) -> list[list[SourceResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, IngestionConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "public_api_data": Subflow(
                ingest_public_api_data_flow_dept_data_lake, config.public_api_data
            ),
            "flight_files": Subflow(ingest_flight_files_flow_dept_data_lake, config.flight_files),
            "article_files": Subflow(
                ingest_article_files_flow_dept_data_lake, config.article_files
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    ingestion_flow_dept_data_lake()
