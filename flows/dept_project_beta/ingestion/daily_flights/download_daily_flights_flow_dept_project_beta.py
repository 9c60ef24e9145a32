"""Category flow: download the files that changed."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_sources
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_project_beta.ingestion.daily_flights.config import CATEGORY, DailyFlightsConfig
from flows.dept_project_beta.ingestion.daily_flights.tasks.download_file_task_dept_project_beta import (  # noqa: E501
    download_file_task_dept_project_beta,
)


@flow(name=CATEGORY.flow_name)
def download_daily_flights_flow_dept_project_beta(
    config: DailyFlightsConfig | None = None, date: dt.date | None = None
) -> list[SourceResult]:
    """Download every file that changed; the bytes, a manifest and a ref are kept for each."""
    config = category_config(CATEGORY, DailyFlightsConfig, config, date)
    outcomes = fan_out(download_file_task_dept_project_beta, config.files, name=source_id)
    publish_sources(CATEGORY, outcomes)
    return outcomes.require_all()
