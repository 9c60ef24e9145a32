"""Category flow: features of articles, fitted on the training rows."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_data_lake.ml.feature_engineering.config import CATEGORY, FeatureEngineeringConfig
from flows.dept_data_lake.ml.feature_engineering.tasks.make_features_task_dept_data_lake import (
    make_features_task_dept_data_lake,
)
from flows.dept_data_lake.ml.feature_engineering.tasks.publish_features_task_dept_data_lake import (
    publish_features_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def engineer_features_flow_dept_data_lake(
    config: FeatureEngineeringConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Make every table of features whose articles, options or code changed, and show them."""
    config = category_config(CATEGORY, FeatureEngineeringConfig, config, date)
    outcomes = fan_out(make_features_task_dept_data_lake, config.features, name=source_id)
    publish_derived(CATEGORY, outcomes)
    for result in outcomes.found:
        publish_features_task_dept_data_lake(result)
    return outcomes.require_all()
