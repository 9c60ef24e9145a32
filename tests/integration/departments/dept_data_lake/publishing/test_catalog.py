"""What a run of the category writes: the catalog, and tables before and after."""

import pandas as pd

from airnub_prefect_starter.core.store import Store
from flows.dept_data_lake.publishing.catalog.config import CATEGORY, CatalogConfig
from flows.dept_data_lake.publishing.catalog.publish_catalog_flow_dept_data_lake import (
    publish_catalog_flow_dept_data_lake,
)
from tests.integration.departments.kit import StoreOf, shown
from tests.lake_kit import put_table

CONFIG = CatalogConfig(compare=("gold/days",))


def _put(store: Store, *days: str) -> None:
    put_table(store, "gold/days", pd.DataFrame({"day": list(days)}), ["day"])


def test_the_catalog_is_written_once_per_change(store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    _put(store, "mon", "tue")

    first = publish_catalog_flow_dept_data_lake(CONFIG)
    again = publish_catalog_flow_dept_data_lake(CONFIG)

    assert [each.outcome for each in (*first, *again)] == ["stored", "not_modified"]
    assert "| `gold/days` | 0 | 2 |" in shown("data-lake-publishing-catalog-tables")
    travel = shown("data-lake-publishing-catalog-time-travel")
    assert "`gold/days`: has had one version only" in travel


def test_tables_are_shown_before_and_after_their_last_change(store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    _put(store, "mon", "tue")
    _put(store, "tue", "wed", "thu")

    publish_catalog_flow_dept_data_lake(CONFIG)

    travel = shown("data-lake-publishing-catalog-time-travel")
    assert "| 2 | 3 | 2 | 1 |" in travel


def test_a_table_that_is_to_be_compared_and_is_not_there_fails_the_run(store_of: StoreOf) -> None:
    store_of(CATEGORY.department)

    state = publish_catalog_flow_dept_data_lake(CONFIG, return_state=True)

    assert state.is_failed()
    assert "gold/days: ObjectNotFoundError" in (state.message or "")
