"""Category flow: no source goes further that breaks a rule, and no copy of another."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out, source_id
from flows.dept_customer_churn.validation.contracts.config import CATEGORY, ContractsConfig
from flows.dept_customer_churn.validation.contracts.tasks.accept_sources_task_dept_customer_churn import (  # noqa: E501
    accept_sources_task_dept_customer_churn,
)
from flows.dept_customer_churn.validation.contracts.tasks.check_sources_task_dept_customer_churn import (  # noqa: E501
    check_sources_task_dept_customer_churn,
)
from flows.dept_customer_churn.validation.contracts.tasks.publish_findings_task_dept_customer_churn import (  # noqa: E501
    publish_findings_task_dept_customer_churn,
)


@flow(name=CATEGORY.flow_name)
def validate_sources_flow_dept_customer_churn(
    config: ContractsConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Check, show what was found, and accept only sources that break no rule."""
    config = category_config(CATEGORY, ContractsConfig, config, date)
    checked = fan_out(check_sources_task_dept_customer_churn, [config.validation], name=source_id)
    for found in checked.found:
        publish_findings_task_dept_customer_churn(found)
    accepted = fan_out(accept_sources_task_dept_customer_churn, checked.found, name=source_id)
    outcomes = accepted.checked_by(checked)
    publish_derived(CATEGORY, outcomes)
    return outcomes.require_all()
