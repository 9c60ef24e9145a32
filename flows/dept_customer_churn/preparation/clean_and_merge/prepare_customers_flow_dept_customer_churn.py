"""Category flow: the accepted sources as one table, and who left by segment."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.preparation.clean_and_merge.config import (
    CATEGORY,
    CleanAndMergeConfig,
)
from flows.dept_customer_churn.preparation.clean_and_merge.tasks.prepare_customers_task_dept_customer_churn import (  # noqa: E501
    prepare_customers_task_dept_customer_churn,
)
from flows.dept_customer_churn.preparation.clean_and_merge.tasks.publish_segments_task_dept_customer_churn import (  # noqa: E501
    publish_segments_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def prepare_customers_flow_dept_customer_churn(
    config: CleanAndMergeConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Merge what changed, and show churn by segment."""
    config = category_config(CATEGORY, CleanAndMergeConfig, config, date)
    steps = [config.preparation]
    outcomes = fan_out(prepare_customers_task_dept_customer_churn, steps, name=source_id)
    publish_derived(CATEGORY, outcomes)
    for result in outcomes.found:
        publish_segments_task_dept_customer_churn(result, config.segments)
    return outcomes.require_all()
