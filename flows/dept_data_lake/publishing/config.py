"""Configuration of the publishing stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake.publishing.catalog.config import CatalogConfig
from flows.dept_data_lake.publishing.warehouse.config import WarehouseConfig


class PublishingConfig(ConfigModel):
    """What to publish, and where."""

    catalog: CatalogConfig
    warehouse: WarehouseConfig
