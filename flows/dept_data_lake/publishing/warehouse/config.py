"""Configuration of the warehouse."""

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.warehouse_config import PublishedTable, Warehouse
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("publishing").category("warehouse", "publish_warehouse")


class WarehouseConfig(ConfigModel):
    """Which tables to publish where."""

    warehouse: Warehouse
    tables: tuple[PublishedTable, ...] = Field(min_length=1)
