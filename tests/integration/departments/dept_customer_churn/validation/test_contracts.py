"""What a run of the category accepts, and how one ends whose sources break a rule."""

from pathlib import Path

from airnub_prefect_starter.core.churn.validation import read_validation
from flows.dept_customer_churn.validation.contracts.config import CATEGORY, ContractsConfig
from flows.dept_customer_churn.validation.contracts.validate_sources_flow_dept_customer_churn import (  # noqa: E501
    validate_sources_flow_dept_customer_churn,
)
from tests.churn_kit import TABLE, VALIDATED, changed, ingest
from tests.integration.departments.kit import StoreOf, shown

CONFIG = ContractsConfig(validation=VALIDATED)
FINDINGS = "customer-churn-validation-contracts-findings"


def test_sources_are_accepted_and_a_copy_is_left_out(store_of: StoreOf, tmp_path: Path) -> None:
    store = store_of(CATEGORY.department)
    ingest(store, TABLE, tmp_path)

    (first,) = validate_sources_flow_dept_customer_churn(CONFIG)
    (second,) = validate_sources_flow_dept_customer_churn(CONFIG)

    assert first.source_id == "validated"
    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert read_validation(store, first).accepted == ("customers", "services", "billing")
    assert "All contracts hold" in shown(FINDINGS)
    assert "the same rows as customers + services + billing" in shown(FINDINGS)


def test_a_broken_rule_stops_the_run_and_is_shown(store_of: StoreOf, tmp_path: Path) -> None:
    store = store_of(CATEGORY.department)
    ingest(store, changed(TABLE, 7, "Contract", "Weekly"), tmp_path)

    state = validate_sources_flow_dept_customer_churn(CONFIG, return_state=True)

    assert state.is_failed()
    assert "ContractError: billing: Contract" in (state.message or "")
    assert "row 7: 'Weekly'" in shown(FINDINGS)
    assert store.ref(CATEGORY.namespace, "validated") is None
    assert store.ref(CATEGORY.namespace, "checked") is not None
