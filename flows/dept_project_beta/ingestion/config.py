"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_project_beta.ingestion.daily_flights.config import DailyFlightsConfig
from flows.dept_project_beta.ingestion.reference_files.config import ReferenceFilesConfig


class IngestionConfig(ConfigModel):
    """What the stage works on."""

    reference_files: ReferenceFilesConfig
    daily_flights: DailyFlightsConfig
