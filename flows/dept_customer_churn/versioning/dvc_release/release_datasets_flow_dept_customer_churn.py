"""Category flow: raw, prepared and feature data as a release that DVC can pull."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.versioning.dvc_release.config import CATEGORY, DvcReleaseConfig
from flows.dept_customer_churn.versioning.dvc_release.tasks.publish_release_task_dept_customer_churn import (  # noqa: E501
    publish_release_task_dept_customer_churn,
)
from flows.dept_customer_churn.versioning.dvc_release.tasks.release_datasets_task_dept_customer_churn import (  # noqa: E501
    release_datasets_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def release_datasets_flow_dept_customer_churn(
    config: DvcReleaseConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Release the data if it changed, and show hashes, pointers and how to pull them."""
    config = category_config(CATEGORY, DvcReleaseConfig, config, date)
    outcomes = fan_out(release_datasets_task_dept_customer_churn, [config], name=source_id)
    publish_derived(CATEGORY, outcomes)
    for result in outcomes.found:
        publish_release_task_dept_customer_churn(result)
    return outcomes.require_all()
