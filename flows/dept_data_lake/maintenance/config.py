"""Configuration of the maintenance stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_data_lake.maintenance.table_maintenance.config import TableMaintenanceConfig


class MaintenanceConfig(ConfigModel):
    """What to keep in shape."""

    table_maintenance: TableMaintenanceConfig
