"""Category flow: whether the challenger is better than the champion."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.inference.ab_comparison.config import CATEGORY, AbComparisonConfig
from flows.dept_customer_churn.inference.ab_comparison.tasks.compare_models_task_dept_customer_churn import (  # noqa: E501
    compare_models_task_dept_customer_churn,
)
from flows.dept_customer_churn.inference.ab_comparison.tasks.publish_comparison_task_dept_customer_churn import (  # noqa: E501
    publish_comparison_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def compare_models_flow_dept_customer_churn(
    config: AbComparisonConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Compare the models if one of them or the rows changed; without a challenger, say so."""
    config = category_config(CATEGORY, AbComparisonConfig, config, date)
    outcomes = fan_out(compare_models_task_dept_customer_churn, [config], name=source_id)
    publish_derived(CATEGORY, outcomes)
    for result in outcomes.found:
        publish_comparison_task_dept_customer_churn(result)
    return outcomes.require_all()
