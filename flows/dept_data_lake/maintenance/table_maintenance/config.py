"""Configuration of the tables' maintenance."""

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from flows.dept_data_lake import DEPARTMENT

CATEGORY = DEPARTMENT.stage("maintenance").category("table_maintenance", "maintain_tables")


class TableMaintenanceConfig(ConfigModel):
    """Which tables to maintain, and how; without names, all that are there."""

    tables: tuple[str, ...] = ()
    upkeep: Upkeep = Upkeep()
