"""Parent flow of the processing stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_project_alpha import DEPARTMENT
from flows.dept_project_alpha.processing.config import ProcessingConfig
from flows.dept_project_alpha.processing.flight_data.process_flight_data_flow_dept_project_alpha import (  # noqa: E501
    process_flight_data_flow_dept_project_alpha,
)
from flows.dept_project_alpha.processing.reference_data.process_reference_data_flow_dept_project_alpha import (  # noqa: E501
    process_reference_data_flow_dept_project_alpha,
)

STAGE = DEPARTMENT.stage("processing")


@flow(name=STAGE.flow_name)
def processing_flow_dept_project_alpha(
    config: ProcessingConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Process all categories concurrently; a failed table fails the run, good ones are kept."""
    config = stage_config(STAGE, ProcessingConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "flight_data": Subflow(process_flight_data_flow_dept_project_alpha, config.flight_data),
            "reference_data": Subflow(
                process_reference_data_flow_dept_project_alpha, config.reference_data
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    processing_flow_dept_project_alpha()
