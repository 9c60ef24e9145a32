"""Category flow: prepared customers to features, kept as a table with registry and profile."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.transformation.feature_store.config import (
    CATEGORY,
    FeatureStoreConfig,
)
from flows.dept_customer_churn.transformation.feature_store.tasks.build_features_task_dept_customer_churn import (  # noqa: E501
    build_features_task_dept_customer_churn,
)
from flows.dept_customer_churn.transformation.feature_store.tasks.publish_features_task_dept_customer_churn import (  # noqa: E501
    publish_features_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def build_features_flow_dept_customer_churn(
    config: FeatureStoreConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Make the features if the customers, the registry or the code changed, and show them."""
    config = category_config(CATEGORY, FeatureStoreConfig, config, date)
    outcomes = fan_out(build_features_task_dept_customer_churn, [config], name=source_id)
    publish_derived(CATEGORY, outcomes)
    for result in outcomes.found:
        publish_features_task_dept_customer_churn(result)
    return outcomes.require_all()
