"""Configuration of the catalog."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("publishing").category("catalog", "publish_catalog")


class CatalogConfig(ConfigModel):
    """Which tables to compare with themselves; the catalog has every table."""

    compare: tuple[str, ...] = ()
