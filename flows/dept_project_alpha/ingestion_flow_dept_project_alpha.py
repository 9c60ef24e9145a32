"""Parent flow of the ingestion stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_project_alpha import DEPARTMENT
from flows.dept_project_alpha.ingestion.config import IngestionConfig
from flows.dept_project_alpha.ingestion.public_api_data.ingest_public_api_data_flow_dept_project_alpha import (  # noqa: E501
    ingest_public_api_data_flow_dept_project_alpha,
)
from flows.dept_project_alpha.ingestion.scheduled_file_downloads.download_scheduled_files_flow_dept_project_alpha import (  # noqa: E501
    download_scheduled_files_flow_dept_project_alpha,
)
from flows.dept_project_alpha.ingestion.tasks.calculate_ingest_metrics_task_dept_project_alpha import (  # noqa: E501
    calculate_ingest_metrics_task_dept_project_alpha,
)
from flows.dept_project_alpha.ingestion.web_page_scraping.scrape_web_pages_flow_dept_project_alpha import (  # noqa: E501
    scrape_web_pages_flow_dept_project_alpha,
)

STAGE = DEPARTMENT.stage("ingestion")


@flow(name=STAGE.flow_name)
def ingestion_flow_dept_project_alpha(
    config: IngestionConfig | None = None, date: dt.date | None = None
) -> list[list[SourceResult]]:
    """Ingest all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, IngestionConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "public_api_data": Subflow(
                ingest_public_api_data_flow_dept_project_alpha, config.public_api_data
            ),
            "scheduled_file_downloads": Subflow(
                download_scheduled_files_flow_dept_project_alpha, config.scheduled_file_downloads
            ),
            "web_page_scraping": Subflow(
                scrape_web_pages_flow_dept_project_alpha, config.web_page_scraping
            ),
        },
    )
    metrics = calculate_ingest_metrics_task_dept_project_alpha(outcomes.kept())
    publish_stage(STAGE, outcomes, metrics)
    return outcomes.require_all()


if __name__ == "__main__":
    ingestion_flow_dept_project_alpha()
