"""What a run of the category makes of accepted sources, and how it ends without any."""

from pathlib import Path

from airnub_prefect_starter.core.churn.preparation import read_prepared
from airnub_prefect_starter.core.churn.validation import core_validate_sources
from flows.dept_customer_churn.preparation.clean_and_merge.config import (
    CATEGORY,
    CleanAndMergeConfig,
)
from flows.dept_customer_churn.preparation.clean_and_merge.prepare_customers_flow_dept_customer_churn import (  # noqa: E501
    prepare_customers_flow_dept_customer_churn,
)
from tests.churn_kit import PREPARED, TABLE, VALIDATED, VALIDATION, ingest
from tests.integration.departments.kit import StoreOf, shown

CONFIG = CleanAndMergeConfig(preparation=PREPARED, segments=("Contract",))


def test_accepted_sources_become_one_table(store_of: StoreOf, tmp_path: Path) -> None:
    store = store_of(CATEGORY.department)
    ingest(store, TABLE, tmp_path)
    core_validate_sources(store, VALIDATED, namespace=VALIDATION)

    (first,) = prepare_customers_flow_dept_customer_churn(CONFIG)
    (second,) = prepare_customers_flow_dept_customer_churn(CONFIG)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert len(read_prepared(store, first)) == 300
    segments = shown("customer-churn-preparation-clean-and-merge-segments")
    assert "of 300 customers left" in segments
    assert "Month-to-month" in segments


def test_nothing_is_prepared_that_was_not_validated(store_of: StoreOf, tmp_path: Path) -> None:
    ingest(store_of(CATEGORY.department), TABLE, tmp_path)

    state = prepare_customers_flow_dept_customer_churn(CONFIG, return_state=True)

    assert state.is_failed()
    assert "ObjectNotFoundError: Input validation.contracts/validated" in (state.message or "")
