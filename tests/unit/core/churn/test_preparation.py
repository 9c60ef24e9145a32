"""One typed table of the accepted sources: every row accounted for, totals where none were."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core.churn.columns import KEY, NAMES, SPLITS
from airnub_prefect_starter.core.churn.preparation import (
    churn_by_segment,
    core_prepare_customers,
    prepare,
    read_prepared,
    segments_markdown,
)
from airnub_prefect_starter.core.churn.sources import read_columns
from airnub_prefect_starter.core.churn.validation import core_validate_sources
from airnub_prefect_starter.core.manifest_models import DerivedManifest, DerivedResult
from airnub_prefect_starter.core.store import Store
from tests.churn_kit import (
    PREPARATION,
    PREPARED,
    REAL_TABLE,
    TABLE,
    VALIDATED,
    VALIDATION,
    changed,
    ingest,
    needs_real_table,
)


def _raw(table: bytes) -> dict[str, pd.DataFrame]:
    return {name: read_columns(table, columns, name) for name, columns in SPLITS.items()}


def _prepare(store: Store, *, drop: bool = True) -> DerivedResult:
    step = VALIDATED.model_copy(update={"drop_identical_sources": drop})
    core_validate_sources(store, step, namespace=VALIDATION)
    return core_prepare_customers(store, PREPARED, namespace=PREPARATION)


def test_the_parts_become_the_table_again_typed_and_sorted() -> None:
    received = read_columns(TABLE, NAMES, "table").sort_values(KEY, ignore_index=True)

    found = prepare(_raw(TABLE))

    assert list(found) == list(NAMES)
    assert list(found[KEY]) == list(received[KEY])
    kinds = {name: str(found[name].dtype) for name in ("tenure", "SeniorCitizen", "TotalCharges")}
    assert kinds == {"tenure": "Int64", "SeniorCitizen": "Int64", "TotalCharges": "float64"}
    assert list(found["Contract"]) == list(received["Contract"])
    assert found.notna().all(axis=None)


def test_who_was_never_billed_has_a_total_of_nothing() -> None:
    table = changed(changed(TABLE, 1, "tenure", "0"), 1, "TotalCharges", " ")

    found = prepare(_raw(table)).set_index(KEY)

    key = TABLE.splitlines()[1][:10].decode()
    assert found.loc[key, "TotalCharges"] == 0.0


def test_customers_who_are_alike_stay() -> None:
    first, second = TABLE.splitlines()[1:3]
    twin = TABLE.replace(second, second[:10] + first[10:])

    assert len(prepare(_raw(twin))) == 300


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda raw: raw | {"billing": raw["billing"].iloc[1:]}, "all parts together 299"),
        (lambda raw: raw | {"billing": raw["billing"].replace("One year", "x")}, "do not fit"),
    ],
    ids=["lost-row", "broken-contract"],
)
def test_rows_that_do_not_add_up_are_refused(broken: object, said: str) -> None:
    assert callable(broken)
    with pytest.raises(PayloadError, match=said):
        prepare(broken(_raw(TABLE)))


@pytest.mark.parametrize(("drop", "rows"), [(True, 300), (False, 600)])
def test_a_copy_doubles_the_rows_only_if_it_was_let_through(
    drop: bool, rows: int, content_store: Store, tmp_path: Path
) -> None:
    ingest(content_store, TABLE, tmp_path)

    first, second = _prepare(content_store, drop=drop), _prepare(content_store, drop=drop)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert first.rows is not None
    assert (first.rows.rows_in, first.rows.rows_out) == (rows, rows)
    assert len(read_prepared(content_store, first)) == rows


def test_only_bytes_that_were_validated_are_prepared(content_store: Store, tmp_path: Path) -> None:
    ingest(content_store, TABLE, tmp_path)
    before = _prepare(content_store)
    ingest(content_store, changed(TABLE, 1, "gender", "unknown"), tmp_path)

    after = core_prepare_customers(content_store, PREPARED, namespace=PREPARATION)

    assert after.outcome == "not_modified"
    assert after.outputs == before.outputs
    manifest = content_store.manifest(after.manifest)
    assert isinstance(manifest, DerivedManifest)
    assert [each.source_id for each in manifest.inputs] == ["validated", *SPLITS]


def test_nothing_is_prepared_that_was_not_validated(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"validation\.contracts/validated"):
        core_prepare_customers(content_store, PREPARED, namespace=PREPARATION)


def test_segments_are_shown_with_most_churn_first() -> None:
    table = prepare(_raw(TABLE))

    counted = churn_by_segment(table, "Contract")

    assert int(counted["customers"].sum()) == 300
    assert int(counted["left"].sum()) == int((table["Churn"] == "Yes").sum())
    assert counted["churn_percent"].is_monotonic_decreasing
    assert "## Contract" in segments_markdown("Churn", table, ["Contract"])
    with pytest.raises(ConfigError, match="'Kontrakt'"):
        segments_markdown("Churn", table, ["Kontrakt"])


@needs_real_table
def test_the_published_table_has_its_published_numbers() -> None:
    found = prepare(_raw(Path(str(REAL_TABLE)).read_bytes()))

    assert found.shape == (7043, 21)
    assert round(100 * float((found["Churn"] == "Yes").mean()), 2) == 26.54
    assert int((found["TotalCharges"] == 0).sum()) == 11
    alike = found.duplicated(subset=[name for name in NAMES if name != KEY], keep=False)
    assert int(alike.sum()) == 42
    by_contract = churn_by_segment(found, "Contract").set_index("Contract")["churn_percent"]
    assert by_contract.round(1).to_dict() == {
        "Month-to-month": 42.7,
        "One year": 11.3,
        "Two year": 2.8,
    }
