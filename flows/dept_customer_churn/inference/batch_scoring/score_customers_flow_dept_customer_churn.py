"""Category flow: how probable it is that each customer leaves."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.inference.batch_scoring.config import CATEGORY, BatchScoringConfig
from flows.dept_customer_churn.inference.batch_scoring.tasks.publish_scores_task_dept_customer_churn import (  # noqa: E501
    publish_scores_task_dept_customer_churn,
)
from flows.dept_customer_churn.inference.batch_scoring.tasks.score_table_task_dept_customer_churn import (  # noqa: E501
    score_table_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def score_customers_flow_dept_customer_churn(
    config: BatchScoringConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Score all customers if features or champion changed, and show who is most at risk."""
    config = category_config(CATEGORY, BatchScoringConfig, config, date)
    outcomes = fan_out(score_table_task_dept_customer_churn, [config], name=source_id)
    publish_derived(CATEGORY, outcomes)
    for result in outcomes.found:
        publish_scores_task_dept_customer_churn(result, config)
    return outcomes.require_all()
