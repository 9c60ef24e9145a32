"""Parent flow of the maintenance stage."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.lake.maintenance import Maintained
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.maintenance.config import MaintenanceConfig
from flows.dept_data_lake.maintenance.table_maintenance.maintain_tables_flow_dept_data_lake import (
    maintain_tables_flow_dept_data_lake,
)

STAGE = DEPARTMENT.stage("maintenance")


@flow(name=STAGE.flow_name)
def maintenance_flow_dept_data_lake(
    config: MaintenanceConfig | None = None, date: dt.date | None = None
) -> list[list[Maintained]]:
    """Maintain all tables; one that fails fails the run, the others are maintained."""
    config = stage_config(STAGE, MaintenanceConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "table_maintenance": Subflow(
                maintain_tables_flow_dept_data_lake, config.table_maintenance
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    maintenance_flow_dept_data_lake()
