"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake.ingestion.article_files.config import ArticleFilesConfig
from flows.dept_data_lake.ingestion.flight_files.config import FlightFilesConfig
from flows.dept_data_lake.ingestion.public_api_data.config import PublicApiDataConfig


class IngestionConfig(ConfigModel):
    """What the stage works on."""

    public_api_data: PublicApiDataConfig
    flight_files: FlightFilesConfig
    article_files: ArticleFilesConfig
