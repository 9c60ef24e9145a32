"""Category flow: flights and delays by month, carrier, hour and weather."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from airnub_prefect_starter.tasks.findings import publish_findings
from flows.dept_project_alpha.analysis.flight_summary.config import (
    CATEGORY,
    FlightSummaryConfig,
)
from flows.dept_project_alpha.analysis.flight_summary.tasks.summarize_tables_task_dept_project_alpha import (  # noqa: E501
    summarize_tables_task_dept_project_alpha,
)


@flow(name=CATEGORY.flow_name)
def summarize_flights_flow_dept_project_alpha(
    config: FlightSummaryConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Compute every analysis whose tables or code changed and publish what it found."""
    config = category_config(CATEGORY, FlightSummaryConfig, config, date)
    outcomes = fan_out(summarize_tables_task_dept_project_alpha, config.analyses, name=source_id)
    publish_derived(CATEGORY, outcomes)
    publish_findings(CATEGORY, outcomes.found)
    return outcomes.require_all()
