"""What a run of the category makes of prepared customers, and how one without them ends."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.core.feature_store.registry import OWN_COLUMNS
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.table_step import limit_of
from airnub_prefect_starter.core.lineage import render_trace, trace
from airnub_prefect_starter.core.markdown import artifact_key
from flows.dept_customer_churn.transformation.feature_store.build_features_flow_dept_customer_churn import (  # noqa: E501
    build_features_flow_dept_customer_churn,
)
from flows.dept_customer_churn.transformation.feature_store.config import (
    CATEGORY,
    FeatureStoreConfig,
)
from tests.churn_kit import TABLE
from tests.features_kit import own_config, prepare
from tests.integration.departments.kit import StoreOf, limits_of, shown

CONFIG = own_config(CATEGORY.config_file, FeatureStoreConfig)


@pytest.fixture(autouse=True)
def _limit(prefect_server: None) -> Iterator[None]:
    """Register the limit that the department's file states."""
    with limits_of(CATEGORY.department, limit_of(CONFIG.table)):
        yield


def test_customers_become_features_once(store_of: StoreOf, tmp_path: Path) -> None:
    store = store_of(CATEGORY.department)
    prepare(store, TABLE, tmp_path)

    (first,) = build_features_flow_dept_customer_churn(CONFIG)
    (second,) = build_features_flow_dept_customer_churn(CONFIG)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    table = Lake.of(store).read(CONFIG.table)
    registered = [each.name for each in CONFIG.registry.entries]
    assert set(table.columns) == {CONFIG.key, *OWN_COLUMNS, *registered}
    assert len(table) == TABLE.count(b"\n") - 1
    assert table["event_timestamp"].unique().tolist() == [pd.Timestamp(CONFIG.event_timestamp)]
    assert "ingestion.customer_data/telco" in render_trace(trace(store, first.manifest))
    page = shown(artifact_key(CATEGORY.deployment, "customer"))
    assert "**24 features** by `customerID`" in page
    assert "`is\\_high\\_value`" in page


def test_without_prepared_customers_the_run_fails_and_says_what_to_run(store_of: StoreOf) -> None:
    store_of(CATEGORY.department)

    state = build_features_flow_dept_customer_churn(CONFIG, return_state=True)

    assert state.is_failed()
    assert "preparation.clean_and_merge/prepared is not in the store" in (state.message or "")
