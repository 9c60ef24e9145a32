"""Configuration of the flight summary."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.steps import AnalysisStep
from flows.dept_project_alpha import DEPARTMENT

CATEGORY = DEPARTMENT.stage("analysis").category("flight_summary", "summarize_flights")


class FlightSummaryConfig(ConfigModel):
    """What to compute from which tables."""

    analyses: tuple[AnalysisStep, ...] = Field(min_length=1)
