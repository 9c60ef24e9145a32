"""Category flow: download the churn table and the partner's feed, and split the table."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_sources_and_tables
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.ingestion.customer_data.config import CATEGORY, CustomerDataConfig
from flows.dept_customer_churn.ingestion.customer_data.tasks.download_file_task_dept_customer_churn import (  # noqa: E501
    download_file_task_dept_customer_churn,
)
from flows.dept_customer_churn.ingestion.customer_data.tasks.split_table_task_dept_customer_churn import (  # noqa: E501
    split_table_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def ingest_customer_data_flow_dept_customer_churn(
    config: CustomerDataConfig | None = None, date: dt.date | None = None
) -> list[SourceResult]:
    """Download what changed and split the table; nothing is split after a failed download."""
    config = category_config(CATEGORY, CustomerDataConfig, config, date)
    files = fan_out(download_file_task_dept_customer_churn, config.files, name=source_id)
    steps = () if files.failures else config.splits
    parts = fan_out(split_table_task_dept_customer_churn, steps, name=source_id)
    publish_sources_and_tables(CATEGORY, files, parts)
    return files.checked_by(parts).require_all()
