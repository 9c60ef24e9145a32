"""What runs publish about a lake's catalog, its past, its warehouse and its upkeep."""

from collections.abc import Sequence
from typing import Any, cast

from prefect.states import Completed

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.database.url import shown_url
from airnub_prefect_starter.core.lake.catalog import read_catalog
from airnub_prefect_starter.core.lake.maintenance import Maintained
from airnub_prefect_starter.core.lake.shown import (
    catalog_markdown,
    maintenance_markdown,
    travels_markdown,
    warehouse_markdown,
)
from airnub_prefect_starter.core.lake.time_travel import Travel
from airnub_prefect_starter.core.lake.warehouse import Publication
from airnub_prefect_starter.core.lake.warehouse_config import Warehouse
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.artifacts import publish_markdown, write_report
from airnub_prefect_starter.tasks.fan_out import Outcomes, describe_failure
from airnub_prefect_starter.tasks.run_context import department_store

_NO_WAREHOUSE = "No warehouse is configured, so nothing was published: set WAREHOUSE_URL"


def publish_catalog(category: Category, results: Sequence[DerivedResult]) -> None:
    """Publish the catalog as a table."""
    for result in results:
        found = read_catalog(department_store(category.department), result)
        publish_markdown(
            artifact_key(category.deployment, "tables"),
            catalog_markdown(found, category.department.id),
            "Tables of the lake",
        )


def publish_travels(category: Category, travels: Sequence[Travel]) -> None:
    """Publish what the last change of each table did."""
    publish_markdown(
        artifact_key(category.deployment, "time-travel"),
        travels_markdown(travels),
        "Tables before and after their last change",
    )


def publish_warehouse(
    category: Category, warehouse: Warehouse, outcomes: Outcomes[Publication]
) -> None:
    """Publish which rows the warehouse has, and write the run's report; failures are in both."""
    write_report(category, outcomes)
    address = f"{shown_url(warehouse.url)}, schema {warehouse.db_schema}"
    publish_markdown(
        artifact_key(category.deployment),
        warehouse_markdown(address, outcomes.found, _failed(outcomes)),
        "Tables of the warehouse",
    )


def no_warehouse(category: Category) -> list[Publication]:
    """Publish that there is no warehouse, and end the run with that as the message of its state."""
    key = artifact_key(category.deployment)
    publish_markdown(key, f"# Warehouse\n\n**{_NO_WAREHOUSE}.**", "Tables of the warehouse")
    # A flow that returns a state ends in it; its callers get the state's data.
    return cast("list[Publication]", Completed(message=_NO_WAREHOUSE, data=[]))


def publish_maintenance(category: Category, outcomes: Outcomes[Maintained]) -> None:
    """Publish files and sizes before and after, and write the run's report."""
    write_report(category, outcomes)
    publish_markdown(
        artifact_key(category.deployment),
        maintenance_markdown(outcomes.found, _failed(outcomes)),
        "Files of the tables",
    )


def _failed(outcomes: Outcomes[Any]) -> dict[str, str]:
    return {name: describe_failure(error) for name, error in outcomes.failures.items()}
