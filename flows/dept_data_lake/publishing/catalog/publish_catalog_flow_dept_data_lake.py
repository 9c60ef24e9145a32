"""Category flow: the catalog, and what the last change of some tables did."""

import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.tasks.artifacts import publish_derived
from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out
from airnub_prefect_starter.tasks.lake_publishing import publish_catalog, publish_travels
from flows.dept_data_lake.publishing.catalog.config import CATEGORY, CatalogConfig
from flows.dept_data_lake.publishing.catalog.tasks.compare_versions_task_dept_data_lake import (
    compare_versions_task_dept_data_lake,
)
from flows.dept_data_lake.publishing.catalog.tasks.publish_catalog_task_dept_data_lake import (
    publish_catalog_task_dept_data_lake,
)


@flow(name=CATEGORY.flow_name)
def publish_catalog_flow_dept_data_lake(
    config: CatalogConfig | None = None, date: dt.date | None = None
) -> list[DerivedResult]:
    """Write the catalog if a table changed, and show tables before and after."""
    config = category_config(CATEGORY, CatalogConfig, config, date)
    catalogs = fan_out(publish_catalog_task_dept_data_lake, ["catalog"], name=str)
    publish_derived(CATEGORY, catalogs)
    publish_catalog(CATEGORY, catalogs.found)
    travels = fan_out(compare_versions_task_dept_data_lake, config.compare, name=str)
    publish_travels(CATEGORY, travels.found)
    travels.require_all()
    return catalogs.require_all()
