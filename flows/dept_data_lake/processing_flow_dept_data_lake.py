"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_data_lake import DEPARTMENT
from flows.dept_data_lake.processing.config import ProcessingConfig
from flows.dept_data_lake.processing.lake_etl.refine_lake_flow_dept_data_lake import (
    refine_lake_flow_dept_data_lake,
)

STAGE = DEPARTMENT.stage("processing")


@flow(name=STAGE.flow_name)
def processing_flow_dept_data_lake(
    config: ProcessingConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Run all categories concurrently; a failed table fails the run, good ones are kept."""
    config = stage_config(STAGE, ProcessingConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "lake_etl": Subflow(refine_lake_flow_dept_data_lake, config.lake_etl),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    processing_flow_dept_data_lake()
