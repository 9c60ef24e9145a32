"""Category flow: read JSON APIs to their last page, keep what they said."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_sources
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_data_lake.ingestion.public_api_data.config import CATEGORY, PublicApiDataConfig
from flows.dept_data_lake.ingestion.public_api_data.tasks.fetch_api_task_dept_data_lake import (
    fetch_api_task_dept_data_lake,
)
from flows.dept_data_lake.ingestion.public_api_data.tasks.parse_api_response_task_dept_data_lake import (  # noqa: E501
    parse_api_response_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def ingest_public_api_data_flow_dept_data_lake(
    config: PublicApiDataConfig | None = None, date: dt.date | None = None
) -> list[SourceResult]:
    """Read every API that changed, all its pages; one item a line is kept for each."""
    config = category_config(CATEGORY, PublicApiDataConfig, config, date)
    fetched = fan_out(fetch_api_task_dept_data_lake, config.apis, name=source_id)
    parsed = fan_out(parse_api_response_task_dept_data_lake, fetched.found, name=source_id)
    outcomes = fetched.checked_by(parsed)
    publish_sources(CATEGORY, outcomes)
    return outcomes.require_all()
