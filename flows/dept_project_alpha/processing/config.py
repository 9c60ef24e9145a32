"""Configuration of the processing stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_project_alpha.processing.flight_data.config import FlightDataConfig
from flows.dept_project_alpha.processing.reference_data.config import ReferenceDataConfig


class ProcessingConfig(ConfigModel):
    """What to process."""

    flight_data: FlightDataConfig
    reference_data: ReferenceDataConfig
