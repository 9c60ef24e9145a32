"""Parent flow of the analysis stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_project_alpha import DEPARTMENT
from flows.dept_project_alpha.analysis.config import AnalysisConfig
from flows.dept_project_alpha.analysis.flight_summary.summarize_flights_flow_dept_project_alpha import (  # noqa: E501
    summarize_flights_flow_dept_project_alpha,
)

STAGE = DEPARTMENT.stage("analysis")


@flow(name=STAGE.flow_name)
def analysis_flow_dept_project_alpha(
    config: AnalysisConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Analyse all categories concurrently; a failed one fails the run, good ones are kept."""
    config = stage_config(STAGE, AnalysisConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "flight_summary": Subflow(
                summarize_flights_flow_dept_project_alpha, config.flight_summary
            ),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    analysis_flow_dept_project_alpha()
