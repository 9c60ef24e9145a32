"""Category flow: models trained, judged, shown, and registered if they pass their gates."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.ml.promotion import Promotion
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from airnub_prefect_starter.tasks.models import publish_promotions, publish_trainings
from flows.dept_customer_churn.model_building.training.config import CATEGORY, TrainingConfig
from flows.dept_customer_churn.model_building.training.tasks.mirror_model_task_dept_customer_churn import (  # noqa: E501
    mirror_model_task_dept_customer_churn,
)
from flows.dept_customer_churn.model_building.training.tasks.register_model_task_dept_customer_churn import (  # noqa: E501
    register_model_task_dept_customer_churn,
)
from flows.dept_customer_churn.model_building.training.tasks.train_model_task_dept_customer_churn import (  # noqa: E501
    train_model_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def train_models_flow_dept_customer_churn(
    config: TrainingConfig | None = None, date: dt.date | None = None
) -> list[Promotion]:
    """Train what changed; show it even if a gate stops it; register the rest."""
    config = category_config(CATEGORY, TrainingConfig, config, date)
    trained = fan_out(train_model_task_dept_customer_churn, config.models, name=source_id)
    publish_trainings(CATEGORY, trained.found)
    registered = fan_out(register_model_task_dept_customer_churn, trained.found, name=source_id)
    publish_derived(CATEGORY, trained.checked_by(registered))
    mirrored = fan_out(mirror_model_task_dept_customer_churn, registered.found, name=source_id)
    publish_promotions(CATEGORY, registered.found, mirrored.require_all())
    return registered.checked_by(trained).require_all()
