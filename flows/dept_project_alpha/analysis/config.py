"""Configuration of the analysis stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_project_alpha.analysis.flight_summary.config import FlightSummaryConfig


class AnalysisConfig(ConfigModel):
    """What to analyse."""

    flight_summary: FlightSummaryConfig
