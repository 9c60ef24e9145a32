"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake.processing.lake_etl.config import LakeEtlConfig


class ProcessingConfig(ConfigModel):
    """What the stage works on."""

    lake_etl: LakeEtlConfig
