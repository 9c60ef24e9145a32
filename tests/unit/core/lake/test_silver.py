from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    PayloadError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.steps import SilverStep
from airnub_prefect_starter.core.manifest_models import DerivedResult, RowCounts
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import Column
from tests.unit.core.lake.kit import (
    CONTRACT,
    FLIGHTS,
    KNOWN_PLANE,
    PLANES,
    csv,
    load,
    refine,
    snapshot,
)

PutSource = Callable[..., object]
SILVER, QUARANTINE = "silver/flights", "quarantine/flights"


@pytest.fixture
def store(content_store: Store, put_source: PutSource) -> Store:
    put_source("ingestion.files/f-01", csv("1,N1,5", "2,N2,x", "1,N1,5", "0,,2000"))
    put_source("ingestion.files/f-02", csv("3,N1,NA", "4,N9,"))
    put_source("ingestion.files/planes", b"tailnum\nN1\nN2\n")
    load(content_store, "planes", name="planes")
    refine(content_store, PLANES)
    load(content_store, "f-01", "f-02")
    return content_store


def _rows(store: Store) -> list[tuple[object, ...]]:
    frame = Lake.of(store).query("SELECT id, delay, _batch FROM t ORDER BY id", {"t": SILVER})
    return [tuple(row) for row in frame.astype(object).where(frame.notna(), None).to_numpy()]


def _merged(step: SilverStep = FLIGHTS, **changes: object) -> SilverStep:
    return SilverStep.model_validate({**step.model_dump(), **changes})


def test_every_row_of_every_batch_is_accounted_for(store: Store) -> None:
    result = refine(store)

    assert result.rows == RowCounts(rows_in=6, rows_out=3, rejected=2, duplicates=1)
    assert _rows(store) == [(1, 5, "f-01"), (3, None, "f-02"), (4, None, "f-02")]
    assert all(batch.reconciles() for batch in snapshot(store, "silver.flights").batches.values())


def test_rejected_rows_are_in_quarantine_with_row_rule_and_run(store: Store) -> None:
    refine(store)

    found = Lake.of(store).read(QUARANTINE).sort_values(["_row", "column"])
    columns = ["_batch", "_row", "column", "rule", "value", "run_id"]
    assert list(found[columns].itertuples(index=False, name=None)) == [
        ("f-01", 2, "delay", "is not a whole number of at most 18 digits", "x", "run-1"),
        ("f-01", 4, "delay", "less_than_or_equal_to(1000)", "2000", "run-1"),
        ("f-01", 4, "id", "greater_than_or_equal_to(1)", "0", "run-1"),
    ]
    assert json.loads(found["record"].iloc[0]) == {"id": "2", "tailnum": "N2", "delay": "x"}


def test_a_second_run_writes_nothing(store: Store) -> None:
    refine(store)
    lake = Lake.of(store)
    versions = {table: lake.open(table).version() for table in lake.tables()}

    assert refine(store).outcome == "not_modified"
    assert {table: lake.open(table).version() for table in lake.tables()} == versions


def test_a_corrected_batch_replaces_its_rows_and_its_quarantine(
    store: Store, put_source: PutSource
) -> None:
    refine(store)
    put_source("ingestion.files/f-01", csv("2,N2,7", "5,N1,1"))
    load(store, "f-01", "f-02")

    refine(store)

    assert [row[0] for row in _rows(store)] == [2, 3, 4, 5]
    assert Lake.of(store).read(QUARANTINE).empty


def test_a_batch_of_the_same_rows_is_not_merged_again(store: Store, put_source: PutSource) -> None:
    refine(store)
    put_source("ingestion.files/f-02", csv("3,N1,8"))
    load(store, "f-01", "f-02")
    before = Lake.of(store).open(SILVER).version()

    refine(store)

    assert Lake.of(store).open(SILVER).version() == before + 1


def test_a_batch_that_is_gone_takes_its_rows_along(store: Store) -> None:
    refine(store)
    load(store, "f-02")

    refine(store)

    assert {row[2] for row in _rows(store)} == {"f-02"}
    assert Lake.of(store).read(QUARANTINE).empty


BATCHES = {"f-01": csv("1,N1,1", "2,N1,1"), "f-02": csv("2,N1,2", "3,N1,2"), "f-03": csv("3,N1,3")}


@pytest.mark.parametrize("order", list(permutations(BATCHES))[1::2], ids="-".join)
def test_the_order_in_which_batches_arrive_makes_no_difference(
    content_store: Store, put_source: PutSource, order: tuple[str, ...]
) -> None:
    put_source("ingestion.files/f-01", csv())
    for batch in BATCHES:  # all are there from the beginning, but empty
        put_source(f"ingestion.files/{batch}", csv(f"10{batch[-1]},N1,"))
    for batch in order:
        put_source(f"ingestion.files/{batch}", BATCHES[batch])
        load(content_store, *BATCHES)
        refine(content_store)

    assert _rows(content_store) == [(1, 1, "f-01"), (2, 1, "f-01"), (3, 2, "f-02")]
    counts = snapshot(content_store, "silver.flights").batches
    assert {name: each.duplicates for name, each in counts.items()} == {
        "f-01": 0,
        "f-02": 1,
        "f-03": 1,
    }


def test_the_order_of_the_inputs_counts_and_not_that_of_their_names(
    content_store: Store, put_source: PutSource
) -> None:
    put_source("ingestion.files/f-01", csv("1,N1,1"))
    put_source("ingestion.files/f-02", csv("1,N1,2"))

    for order, kept in ((("f-02", "f-01"), (1, 2, "f-02")), (("f-01", "f-02"), (1, 1, "f-01"))):
        load(content_store, *order)
        refine(content_store)
        assert _rows(content_store) == [kept]


def test_a_source_that_is_as_before_a_failed_run_has_its_quarantine_of_before(
    store: Store, put_source: PutSource
) -> None:
    refine(store)
    before = Lake.of(store).read(QUARANTINE)
    good = {"f-01": csv("1,N1,5", "2,N2,x", "1,N1,5", "0,,2000"), "f-02": csv("3,N1,NA", "4,N9,")}
    for batch, rows in good.items():
        put_source(f"ingestion.files/{batch}", csv("x,N1,5", "y,N1,5"))
        load(store, *good)
        with pytest.raises(PayloadError, match="2 of 2 rows are rejected"):
            refine(store)
        put_source(f"ingestion.files/{batch}", rows)
        load(store, *good)

        refine(store)

        assert Lake.of(store).read(QUARANTINE).equals(before)


def test_other_tables_are_read_as_their_snapshots_say(store: Store, put_source: PutSource) -> None:
    refine(store)
    put_source("ingestion.files/f-01", b"id\n9\n")
    put_source("ingestion.files/f-02", b"")
    with pytest.raises(PayloadError):  # the table has the one batch, and no snapshot of it
        load(store, "f-01", "f-02")

    refine(store, _merged(contract=_with_note()))

    assert [row[0] for row in _rows(store)] == [1, 3, 4]


@pytest.mark.parametrize("other", [{}, {"foreign_keys": [KNOWN_PLANE]}], ids=["nothing", "rules"])
def test_a_stricter_limit_counts_for_what_is_there_already(
    store: Store, other: dict[str, Any]
) -> None:
    refine(store)

    with pytest.raises(PayloadError, match=r"f-01: 2 of 4 rows are rejected, more than 40 %"):
        refine(store, _merged(max_rejected_percent=40, **other))


def test_a_stricter_limit_counts_beside_a_new_batch(store: Store, put_source: PutSource) -> None:
    refine(store)
    put_source("ingestion.files/f-02", csv("7,N1,1"))
    load(store, "f-01", "f-02")

    with pytest.raises(PayloadError, match=r"f-01: 2 of 4 rows are rejected, more than 40 %"):
        refine(store, _merged(max_rejected_percent=40))


def test_a_row_comes_back_when_the_earlier_one_goes(
    content_store: Store, put_source: PutSource
) -> None:
    put_source("ingestion.files/f-01", csv("1,N1,1", "2,N1,1"))
    put_source("ingestion.files/f-02", csv("2,N1,2"))
    load(content_store, "f-01", "f-02")
    refine(content_store)
    put_source("ingestion.files/f-01", csv("1,N1,1"))
    load(content_store, "f-01", "f-02")

    refine(content_store)

    assert _rows(content_store) == [(1, 1, "f-01"), (2, 2, "f-02")]


def test_equal_rows_have_equal_digests_however_they_were_loaded(
    store: Store, put_source: PutSource
) -> None:
    refine(store)
    at_once = snapshot(store, "silver.flights").digest
    load(store, "f-02")
    refine(store)
    load(store, "f-01", "f-02")

    refine(store)

    assert snapshot(store, "silver.flights").digest == at_once


def test_rows_that_refer_to_nothing_are_counted_or_rejected(store: Store) -> None:
    refine(store, _merged(foreign_keys=[KNOWN_PLANE]))
    assert snapshot(store, "silver.flights").batches["f-02"].warnings == {"tailnum in planes": 1}

    refine(store, _merged(foreign_keys=[{**KNOWN_PLANE.model_dump(), "severity": "error"}]))

    counts = snapshot(store, "silver.flights").batches["f-02"]
    assert (counts.rows_out, counts.rejected_by) == (1, {"tailnum: tailnum in planes": 1})
    found = Lake.of(store).read(QUARANTINE, partitions={"_batch": "f-02"})
    assert found["value"].tolist() == ["N9"]


def test_a_missing_reference_is_told_apart_from_an_unknown_one(
    content_store: Store, put_source: PutSource, store: Store
) -> None:
    put_source("ingestion.files/f-01", csv("1,N1,5", "2,,5", "3,N9,5"))
    put_source("ingestion.files/f-02", csv("4,N1,5"))
    load(store, "f-01", "f-02")

    refine(store, _merged(foreign_keys=[KNOWN_PLANE]))

    assert snapshot(store, "silver.flights").batches["f-01"].warnings == {
        "tailnum in planes": 1,
        "tailnum missing": 1,
    }


def test_what_an_earlier_batch_has_too_is_not_warned_about(
    store: Store, put_source: PutSource
) -> None:
    put_source("ingestion.files/f-01", csv("1,N9,5", "2,,5"))
    put_source("ingestion.files/f-02", csv("1,N9,6", "2,,6", "3,N9,6"))
    load(store, "f-01", "f-02")

    refine(store, _merged(foreign_keys=[KNOWN_PLANE]))

    batches = snapshot(store, "silver.flights").batches
    assert batches["f-01"].warnings == {"tailnum in planes": 1, "tailnum missing": 1}
    assert batches["f-02"].warnings == {"tailnum in planes": 1}


def test_a_change_of_the_other_table_is_looked_at_again(
    store: Store, put_source: PutSource
) -> None:
    step = _merged(foreign_keys=[{**KNOWN_PLANE.model_dump(), "severity": "error"}])
    refine(store, step)
    put_source("ingestion.files/planes", b"tailnum\nN1\nN2\nN9\n")
    load(store, "planes", name="planes")
    refine(store, PLANES)

    refine(store, step)

    assert [row[0] for row in _rows(store)] == [1, 3, 4]


def test_a_batch_of_which_too_much_is_rejected_is_not_merged(store: Store) -> None:
    refine(store)
    before = _rows(store)

    with pytest.raises(PayloadError, match=r"f-01: 2 of 4 rows are rejected, more than 40 %"):
        refine(store, _merged(max_rejected_percent=40, contract=_with_note()))

    assert _rows(store) == before
    assert len(Lake.of(store).read(QUARANTINE)) == 3


def test_other_columns_and_types_take_the_place_of_the_old_ones(store: Store) -> None:
    refine(store)
    columns = (Column(name="id", dtype="int"), Column(name="delay", dtype="string", nullable=True))

    refine(store, _merged(contract={"columns": columns, "key": ("id",)}))

    found = snapshot(store, "silver.flights")
    assert found.columns["delay"] == "string"
    assert "tailnum" not in found.columns
    assert "removed tailnum string" in found.changes
    assert "changed delay from long to string" in found.changes
    assert found.rows == 5


def test_a_column_that_no_batch_has_is_missing_in_every_row(store: Store) -> None:
    refine(store, _merged(contract=_with_note()))

    assert Lake.of(store).read(SILVER)["note"].isna().all()


def test_a_table_that_was_not_made_yet_is_named(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"processing\.lake_etl/bronze\.flights"):
        refine(content_store)


def _with_note() -> dict[str, object]:
    note = Column(name="note", dtype="string", nullable=True)
    return {"columns": (*CONTRACT.columns, note), "key": ("id",)}


def test_a_table_that_was_removed_is_made_anew(store: Store) -> None:
    refine(store)
    before = snapshot(store, "silver.flights").digest
    store.backend.delete([stat.key for stat in store.backend.list("tables/silver/flights/")])

    refine(store)

    assert snapshot(store, "silver.flights").digest == before
    assert [row[0] for row in _rows(store)] == [1, 3, 4]


def test_a_run_that_dies_before_it_could_say_what_it_did_is_repeated(
    store: Store, put_source: PutSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_source("ingestion.files/f-02", csv("5,N1,1", "5,N1,2"))

    def lost(*_: object, **__: object) -> None:
        raise StoreUnavailableError("gone")

    runs: list[Callable[[], DerivedResult]] = [
        lambda: load(store, "f-01", "f-02"),
        lambda: refine(store),
    ]
    for run in runs:
        with monkeypatch.context() as patch:
            patch.setattr(store, "put_bytes", lost)  # the snapshot, after all Delta commits
            with pytest.raises(StoreUnavailableError):
                run()
        assert run().outcome == "stored"

    assert _rows(store) == [(1, 5, "f-01"), (5, 1, "f-02")]
    counts = snapshot(store, "silver.flights").batches["f-02"]
    assert (counts.rows_in, counts.rows_out, counts.duplicates) == (2, 1, 1)
    assert len(Lake.of(store).read(QUARANTINE)) == 3


def test_a_source_without_rows_gives_a_table_without_rows(
    content_store: Store, put_source: PutSource
) -> None:
    put_source("ingestion.files/f-01", csv())
    load(content_store, "f-01")

    result = refine(content_store)

    assert result.rows == RowCounts(rows_in=0, rows_out=0, rejected=0, duplicates=0)
    assert _rows(content_store) == []
    put_source("ingestion.files/f-01", csv("1,N1,1"))
    load(content_store, "f-01")
    refine(content_store)
    assert _rows(content_store) == [(1, 1, "f-01")]
