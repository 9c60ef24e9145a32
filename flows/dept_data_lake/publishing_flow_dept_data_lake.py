"""Parent flow of the publishing stage: every category at once."""

import datetime as dt
from typing import Any

from prefect import flow

from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.publishing.catalog.publish_catalog_flow_dept_data_lake import (
    publish_catalog_flow_dept_data_lake,
)
from flows.dept_data_lake.publishing.config import PublishingConfig
from flows.dept_data_lake.publishing.warehouse.publish_warehouse_flow_dept_data_lake import (
    publish_warehouse_flow_dept_data_lake,
)

STAGE = DEPARTMENT.stage("publishing")


@flow(name=STAGE.flow_name)
def publishing_flow_dept_data_lake(
    config: PublishingConfig | None = None, date: dt.date | None = None
) -> list[list[Any]]:
    """Publish the catalog and the warehouse concurrently; a failed one fails the run."""
    config = stage_config(STAGE, PublishingConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "catalog": Subflow[Any](publish_catalog_flow_dept_data_lake, config.catalog),
            "warehouse": Subflow[Any](publish_warehouse_flow_dept_data_lake, config.warehouse),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    publishing_flow_dept_data_lake()
