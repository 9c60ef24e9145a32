from __future__ import annotations

import io
import json
from collections.abc import Callable

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    PayloadError,
    TableSchemaError,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.manifest_models import RowCounts, Source, TableRead
from airnub_prefect_starter.core.store import FetchCommit, Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import manifest_key
from tests.unit.core.lake.kit import csv, load, refine, snapshot

PutSource = Callable[..., object]
TABLE = "bronze/flights"
JANUARY = csv("1,N1,5", "2,N2,x")
FEBRUARY = csv("3,N1,NA")


@pytest.fixture
def store(content_store: Store, put_source: PutSource) -> Store:
    put_source("ingestion.files/f-01", JANUARY)
    put_source("ingestion.files/f-02", FEBRUARY)
    return content_store


def _rows(store: Store) -> list[tuple[object, ...]]:
    frame = Lake.of(store).query(
        'SELECT _batch, _row, id, delay FROM t ORDER BY _batch, "_row"', {"t": TABLE}
    )
    return list(frame.itertuples(index=False, name=None))


def _version(store: Store) -> int:
    return Lake.of(store).open(TABLE).version()


def test_rows_are_kept_as_text_with_batch_line_and_bytes(store: Store) -> None:
    result = load(store, "f-01", "f-02")

    assert result.rows == RowCounts(rows_in=3, rows_out=3, rejected=0, duplicates=0)
    assert _rows(store) == [
        ("f-01", 1, "1", "5"),
        ("f-01", 2, "2", "x"),
        ("f-02", 1, "3", "NA"),
    ]
    ref = store.ref("ingestion.files", "f-02")
    assert ref is not None
    assert ref.blob is not None
    blobs = Lake.of(store).read(TABLE, columns=["_blob"], partitions={"_batch": "f-02"})
    assert blobs["_blob"].tolist() == [ref.blob.digest]


def test_equal_inputs_write_nothing(store: Store) -> None:
    load(store, "f-01", "f-02")
    version = _version(store)

    assert load(store, "f-01", "f-02").outcome == "not_modified"
    assert _version(store) == version


def test_only_the_batch_that_differs_is_written(store: Store, put_source: PutSource) -> None:
    load(store, "f-01", "f-02")
    put_source("ingestion.files/f-02", csv("4,N1,1"))
    before = _version(store)

    load(store, "f-01", "f-02")

    assert _version(store) == before + 1
    assert [row[:3] for row in _rows(store)] == [
        ("f-01", 1, "1"),
        ("f-01", 2, "2"),
        ("f-02", 1, "4"),
    ]


def test_commits_say_which_run_wrote_which_bytes(store: Store) -> None:
    load(store, "f-01")

    (commit,) = Lake.of(store).open(TABLE).history(1)
    ref = store.ref("ingestion.files", "f-01")
    assert ref is not None
    assert ref.blob is not None
    assert (commit["airnub.flow_run_id"], commit["airnub.inputs"]) == ("run-1", ref.blob.digest)


def test_a_batch_that_is_no_longer_listed_is_removed(store: Store) -> None:
    load(store, "f-01", "f-02")

    load(store, "f-02")

    assert [row[0] for row in _rows(store)] == ["f-02"]
    assert list(snapshot(store, "bronze.flights").parts) == ["f-02"]


def test_a_duplicated_file_is_counted_and_left_out(store: Store, put_source: PutSource) -> None:
    put_source("ingestion.files/f-03", JANUARY)

    result = load(store, "f-01", "f-02", "f-03")

    assert result.rows == RowCounts(rows_in=5, rows_out=3, rejected=0, duplicates=2)
    assert {row[0] for row in _rows(store)} == {"f-01", "f-02"}
    assert snapshot(store, "bronze.flights").batches["f-03"].note == "same bytes as f-01"


def test_a_batch_that_becomes_a_duplicate_is_removed(store: Store, put_source: PutSource) -> None:
    load(store, "f-01", "f-02")
    put_source("ingestion.files/f-02", JANUARY)

    load(store, "f-01", "f-02")

    assert {row[0] for row in _rows(store)} == {"f-01"}


def test_an_extra_column_is_added_and_told(store: Store, put_source: PutSource) -> None:
    load(store, "f-01")
    put_source("ingestion.files/f-02", b"id,tailnum,delay,gate\n3,N1,1,A1\n")

    load(store, "f-01", "f-02")

    assert snapshot(store, "bronze.flights").changes == ("added gate string", "f-02 added gate")
    gates = Lake.of(store).query("SELECT id, gate FROM t ORDER BY id", {"t": TABLE})
    assert gates["gate"].fillna("").tolist() == ["", "", "A1"]
    assert load(store, "f-01", "f-02").outcome == "not_modified"


def test_columns_that_differ_between_the_first_batches_are_told(
    store: Store, put_source: PutSource
) -> None:
    put_source("ingestion.files/f-02", b"id,delay,gate\n3,1,A1\n")

    load(store, "f-01", "f-02")

    assert snapshot(store, "bronze.flights").changes == ("f-02 added gate", "f-02 lacks tailnum")


def test_a_column_that_a_later_batch_lacks_is_told(store: Store, put_source: PutSource) -> None:
    load(store, "f-01")
    put_source("ingestion.files/f-02", b"id,delay,gate\n3,1,A1\n")

    load(store, "f-01", "f-02")

    assert snapshot(store, "bronze.flights").changes == (
        "added gate string",
        "f-02 added gate",
        "f-02 lacks tailnum",
    )


BAD = {
    "a field too few": b"id,tailnum,delay\n1,N1\n",
    "nothing": b"",
    "no UTF-8": b"id,tailnum,\xff\n1,2,3\n",
    "a column twice": b"id,id,delay\n1,2,3\n",
    "a column without a name": b"id,,delay\n1,2,3\n",
    "a column of a control character": b"id,\x00,delay\n1,2,3\n",
    "a column over two lines": b'id,"tail\nnum",delay\n1,2,3\n',
    "a column of ours": b"id,_row,delay\n1,2,3\n",
}


@pytest.mark.parametrize("body", BAD.values(), ids=list(BAD))
def test_a_batch_that_cannot_be_read_fails_by_name_and_the_others_are_stored(
    store: Store, put_source: PutSource, body: bytes
) -> None:
    load(store, "f-01")
    put_source("ingestion.files/f-01", body)

    with pytest.raises(PayloadError, match=r"1 of 2 batches of bronze/flights failed.*: f-01: "):
        load(store, "f-01", "f-02")

    assert [row[0] for row in _rows(store)] == ["f-01", "f-01", "f-02"]


def test_columns_that_differ_by_case_alone_are_refused(store: Store, put_source: PutSource) -> None:
    put_source("ingestion.files/f-02", b"ID,tailnum,delay\n3,N1,1\n")

    with pytest.raises(TableSchemaError, match=r"f-02: .*Duplicate field name.*'ID'"):
        load(store, "f-01", "f-02")

    assert {row[0] for row in _rows(store)} == {"f-01"}


def test_odd_names_of_columns_are_kept(store: Store, put_source: PutSource) -> None:
    names = ["a b", "c,d", "it's", 'quo"te', "é", "日本", "x;=(y)"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    put_source("ingestion.files/odd", f"{header}\n1,2,3,4,5,6,7\n".encode())
    load(store, "odd", name="odd")
    put_source("ingestion.files/odd", f"{header}\n8,2,3,4,5,6,7\n".encode())

    load(store, "odd", name="odd")

    assert Lake.of(store).read("bronze/odd", columns=names).to_numpy().tolist() == [list("8234567")]


def test_what_was_stored_beside_a_failed_batch_is_not_taken_for_the_last_good_state(
    store: Store, put_source: PutSource
) -> None:
    load(store, "f-01", "f-02")
    put_source("ingestion.files/f-01", csv("9,N9,9"))
    put_source("ingestion.files/f-02", b"")
    with pytest.raises(PayloadError):
        load(store, "f-01", "f-02")
    put_source("ingestion.files/f-01", JANUARY)
    put_source("ingestion.files/f-02", FEBRUARY)

    load(store, "f-01", "f-02")

    assert [row[2] for row in _rows(store)] == ["1", "2", "3"]


def test_what_was_stored_beside_a_failed_batch_has_a_digest_of_its_own(
    store: Store, put_source: PutSource
) -> None:
    load(store, "f-01", "f-02")
    before = snapshot(store, "bronze.flights").parts["f-02"].digest
    put_source("ingestion.files/f-01", b"")
    put_source("ingestion.files/f-02", csv("4,N1,NA"))  # as many rows as before
    with pytest.raises(PayloadError):
        load(store, "f-01", "f-02")
    put_source("ingestion.files/f-01", JANUARY)

    load(store, "f-01", "f-02")

    assert snapshot(store, "bronze.flights").parts["f-02"].digest != before


def test_another_reader_reads_what_is_there_again(store: Store, put_source: PutSource) -> None:
    put_source("ingestion.files/j", b'{"a":"1"}\n')
    load(store, "j", name="j")
    assert Lake.of(store).read("bronze/j").empty  # one line, which is a header

    load(store, "j", name="j", reader="json_lines")

    assert Lake.of(store).read("bronze/j")["a"].tolist() == ["1"]


def _continued(store: Store, body: bytes, before: str | None) -> str:
    url = "sqlite:////sample.db"
    with store.spool() as spool:
        spool.write(body)
        digest = Digest.of(b"columns").text
        read = TableRead(columns=(), schema_digest=digest, rows=1, continues=before)
        source = Source(url=url, final_url=url)
        committed = store.commit_fetch(
            FetchCommit("ingestion.files", "g", source=source, spool=spool, table=read)
        )
    return committed.ref.manifest.digest


def test_increments_stay_while_one_of_them_is_lost(store: Store, put_source: PutSource) -> None:
    digests: list[str] = []
    for row in ("1,N1,1", "2,N1,1", "2,N1,2", "2,N1,3"):
        digests.append(_continued(store, csv(row), digests[-1] if digests else None))
    load(store, "g")
    before = _rows(store)
    refine(store)
    kept = Lake.of(store).query("SELECT id, delay FROM t ORDER BY id", {"t": "silver/flights"})
    assert kept.to_numpy().tolist() == [[1, 1], [2, 3]]  # of rows with one key the newest
    store.backend.delete([manifest_key(Digest(digests[0]))])

    with pytest.raises(ObjectNotFoundError):
        load(store, "g")

    assert _rows(store) == before


def test_a_batch_that_was_never_ingested_fails_by_name(store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"f-99: Input ingestion\.files/f-99"):
        load(store, "f-01", "f-99")

    assert {row[0] for row in _rows(store)} == {"f-01"}


def test_json_lines_and_parquet_give_the_same_rows(store: Store, put_source: PutSource) -> None:
    records = [{"id": 1, "when": "2013-01-01T05:00:00Z"}, {"id": 2, "gate": None}]
    put_source("ingestion.files/j", "\n".join(map(json.dumps, records)).encode())
    load(store, "j", name="j", reader="json_lines")
    frame = pd.DataFrame({"id": [1, 2], "when": pd.to_datetime(["2013-01-01T05:00Z", ""])})
    put_source("ingestion.files/p", _parquet(frame))
    load(store, "p", name="p", reader="parquet")

    j, p = (Lake.of(store).read(f"bronze/{name}").sort_values("_row") for name in "jp")

    assert j["id"].tolist() == p["id"].tolist() == ["1", "2"]
    assert j["when"][0] == "2013-01-01T05:00:00Z"
    assert p["when"][0] == "2013-01-01 05:00:00.000000Z"
    assert j["when"].isna().tolist() == p["when"].isna().tolist() == [False, True]


def test_truncated_parquet_fails(store: Store, put_source: PutSource) -> None:
    raw = _parquet(pd.DataFrame({"id": range(1000)}))
    put_source("ingestion.files/p", raw[: len(raw) // 2])

    with pytest.raises(PayloadError, match="p: Cannot read Parquet"):
        load(store, "p", name="p", reader="parquet")


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return sink.getvalue()
