"""What of the sources is accepted, what stops a run, and what is written down of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import ContractError, ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core.churn.columns import NAMES, SPLITS
from airnub_prefect_starter.core.churn.findings import Validation, validation_markdown
from airnub_prefect_starter.core.churn.sources import read_columns
from airnub_prefect_starter.core.churn.steps import ValidationStep
from airnub_prefect_starter.core.churn.validation import (
    core_accept_sources,
    core_check_sources,
    core_validate_sources,
    read_validation,
    validate,
)
from airnub_prefect_starter.core.lineage import trace
from airnub_prefect_starter.core.manifest_models import DerivedManifest
from airnub_prefect_starter.core.store import Store
from tests.churn_kit import (
    REAL_TABLE,
    TABLE,
    VALIDATED,
    VALIDATION,
    changed,
    fetch,
    ingest,
    needs_real_table,
)

PARTS = tuple(SPLITS)
_LINES = TABLE.splitlines(keepends=True)


def _validated(table: bytes, feed: bytes | None = None, *, drop: bool = True) -> Validation:
    raw = {name: read_columns(table, columns, name) for name, columns in SPLITS.items()}
    if feed is not None:
        raw["partner_feed"] = read_columns(feed, NAMES, "partner_feed")
    return validate(raw, drop_identical_sources=drop)


def _row(column: str, value: str) -> int:
    """Find the first row that has a value."""
    table = read_columns(TABLE, NAMES, "table")
    return int(table.index[table[column] == value][0])


BROKEN = {
    "unknown-category": (("Contract", 1, "Weekly"), "billing", "Contract isin"),
    "not-a-number": (("MonthlyCharges", 1, "many"), "billing", "MonthlyCharges is not a finite"),
    "out-of-range": (("tenure", 1, "-1"), "customers", "tenure greater_than_or_equal_to"),
    "missing-value": (("gender", 1, ""), "customers", "gender not_nullable"),
    "bad-id": (("customerID", 1, "12-AB"), "customers", "customerID is four digits"),
    "duplicate-id": (("customerID", 2, _LINES[1][:10].decode()), "customers", "is unique"),
    "phone": (
        ("PhoneService", _row("MultipleLines", "Yes"), "No"),
        "customers + services + billing",
        "exactly where PhoneService is No",
    ),
    "internet": (
        ("OnlineBackup", _row("InternetService", "No"), "Yes"),
        "customers + services + billing",
        "exactly where InternetService is No",
    ),
    "blank-total": (
        ("TotalCharges", _row("tenure", "72"), " "),
        "customers + services + billing",
        "TotalCharges is blank exactly where tenure is 0",
    ),
    "first-bill": (
        ("TotalCharges", _row("tenure", "1"), "55.5"),
        "customers + services + billing",
        "TotalCharges is MonthlyCharges where tenure is 1",
    ),
}


@pytest.mark.parametrize(("cell", "source", "rule"), BROKEN.values(), ids=BROKEN)
def test_each_broken_rule_is_found_with_its_row(
    cell: tuple[str, int, str], source: str, rule: str
) -> None:
    column, row, value = cell

    found = _validated(changed(TABLE, row, column, value))

    (error,) = [each for each in found.errors if each.source == source]
    assert rule in error.rule
    assert error.rows == 1
    key = _LINES[row].partition(b",")[0].decode()
    where = f"row {row}" if source in SPLITS else f"customer {key}"
    assert error.examples[0].startswith(f"{where}: ")
    assert not found.passed


def test_no_rule_is_broken_by_a_good_table() -> None:
    found = _validated(TABLE)

    assert (found.findings, found.accepted) == ((), PARTS)


def test_a_table_without_rows_is_refused() -> None:
    found = _validated(_LINES[0])

    assert {each.rule for each in found.errors} == {"a source has rows"}


def test_a_broken_rule_of_customers_that_a_part_lacks_names_the_right_one() -> None:
    raw = {name: read_columns(TABLE, columns, name) for name, columns in SPLITS.items()}
    customers, billing = raw["customers"], raw["billing"]
    key = str(customers.loc[customers["tenure"] == "72", "customerID"].iloc[-1])
    billing.loc[billing["customerID"] == key, "TotalCharges"] = " "
    raw["services"] = raw["services"].iloc[1:]

    found = validate(raw, drop_identical_sources=True)

    (example,) = (each.examples[0] for each in found.errors if "is blank" in each.rule)
    assert example.startswith(f"customer {key}: ")


def test_sources_have_different_names() -> None:
    feeds = ("first.feeds/partner_feed", "second.feeds/partner_feed")

    with pytest.raises(ValidationError, match="two sources have the name partner_feed"):
        ValidationStep(parts=VALIDATED.parts, feeds=feeds)


def test_every_part_must_have_every_customer() -> None:
    raw = {name: read_columns(TABLE, columns, name) for name, columns in SPLITS.items()}
    raw["billing"] = raw["billing"].iloc[2:]

    found = validate(raw, drop_identical_sources=True)

    (error,) = found.errors
    assert (error.source, error.rule, error.rows) == ("billing", "every part has every customer", 2)


def test_a_total_in_another_unit_is_warned_about() -> None:
    row = _row("tenure", "72")

    found = _validated(changed(TABLE, row, "TotalCharges", "99999"))

    assert found.passed
    assert [each.severity for each in found.findings] == ["warning"]


@pytest.mark.parametrize(("drop", "accepted"), [(True, PARTS), (False, (*PARTS, "partner_feed"))])
def test_a_copy_in_another_order_is_left_out_unless_that_is_unwanted(
    drop: bool, accepted: tuple[str, ...]
) -> None:
    shuffled = b"".join([_LINES[0], *reversed(_LINES[1:])])

    found = _validated(TABLE, shuffled, drop=drop)

    assert found.accepted == accepted
    assert found.sources[-1].copy_of == PARTS
    (warning,) = found.findings
    assert warning.severity == "warning"
    assert ("left out" in warning.rule) is drop


def test_a_feed_of_other_customers_is_accepted() -> None:
    half = len(_LINES) // 2

    found = _validated(b"".join(_LINES[:half]), b"".join([_LINES[0], *_LINES[half:]]))

    assert found.accepted == (*PARTS, "partner_feed")
    assert found.findings == ()


def test_a_feed_with_some_of_the_same_customers_is_refused() -> None:
    found = _validated(b"".join(_LINES[:-3]), b"".join([_LINES[0], *_LINES[-5:]]))

    (error,) = found.errors
    assert (error.source, error.rows) == ("partner_feed", 2)


def test_what_is_accepted_is_made_of_the_bytes_that_were_checked(
    content_store: Store, tmp_path: Path
) -> None:
    ingest(content_store, TABLE, tmp_path)

    first = core_validate_sources(content_store, VALIDATED, namespace=VALIDATION)
    second = core_validate_sources(content_store, VALIDATED, namespace=VALIDATION)

    assert (first.source_id, first.outcome, second.outcome) == (
        "validated",
        "stored",
        "not_modified",
    )
    assert first.rows is not None
    assert (first.rows.rows_in, first.rows.rows_out, first.rows.duplicates) == (600, 300, 300)
    manifest = content_store.manifest(first.manifest)
    assert isinstance(manifest, DerivedManifest)
    assert [each.source_id for each in manifest.inputs] == [*PARTS, "partner_feed"]
    assert trace(content_store, first.manifest)


def test_a_broken_rule_is_written_down_before_it_stops_the_run(
    content_store: Store, tmp_path: Path
) -> None:
    ingest(content_store, changed(TABLE, 3, "Partner", "Maybe"), tmp_path)

    checked = core_check_sources(content_store, VALIDATED, namespace=VALIDATION)
    with pytest.raises(ContractError, match=r"customers: Partner isin.*row 3: 'Maybe'") as caught:
        core_accept_sources(content_store, checked)

    assert caught.value.exit_code == 30
    assert checked.outputs[0].blob.digest in caught.value.remedy
    assert content_store.ref(VALIDATION, "validated") is None
    shown = validation_markdown("Churn", read_validation(content_store, checked))
    assert "Contracts are broken" in shown
    assert "row 3: 'Maybe'" in shown


def test_a_feed_without_a_column_is_named(content_store: Store, tmp_path: Path) -> None:
    feed = TABLE.replace(b"Contract", b"Kontrakt", 1)
    ingest(content_store, TABLE, tmp_path, feed=feed)

    with pytest.raises(PayloadError, match=r"partner_feed: CSV columns \['Contract'\] are missing"):
        core_check_sources(content_store, VALIDATED, namespace=VALIDATION)


def test_a_table_without_a_column_is_not_split(content_store: Store, tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=r"telco: CSV columns \['tenure'\] are missing"):
        ingest(content_store, TABLE.replace(b"tenure", b"months", 1), tmp_path)


def test_sources_that_are_not_there_are_named(content_store: Store, tmp_path: Path) -> None:
    fetch(content_store, "telco", TABLE, tmp_path)

    with pytest.raises(ObjectNotFoundError, match="customer_data/customers"):
        core_check_sources(content_store, VALIDATED, namespace=VALIDATION)


@needs_real_table
def test_the_published_table_breaks_no_rule() -> None:
    table = Path(str(REAL_TABLE)).read_bytes()

    found = _validated(table, table)

    assert found.passed
    assert [each.rows for each in found.sources] == [7043] * 4
    assert found.accepted == PARTS
    assert [each.severity for each in found.findings] == ["warning"]
