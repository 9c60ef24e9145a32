"""Parent flow of the stage: every category at once."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_customer_churn import DEPARTMENT
from flows.dept_customer_churn.versioning.config import VersioningConfig
from flows.dept_customer_churn.versioning.dvc_release.release_datasets_flow_dept_customer_churn import (  # noqa: E501
    release_datasets_flow_dept_customer_churn,
)

STAGE = DEPARTMENT.stage("versioning")


@flow(name=STAGE.flow_name)
def versioning_flow_dept_customer_churn(
    config: VersioningConfig | None = None, date: dt.date | None = None
) -> list[list[DerivedResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, VersioningConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "dvc_release": Subflow(release_datasets_flow_dept_customer_churn, config.dvc_release),
        },
    )
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()


if __name__ == "__main__":
    versioning_flow_dept_customer_churn()
