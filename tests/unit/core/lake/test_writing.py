from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    StoreUnavailableError,
    TableConflictError,
    TableSchemaError,
)
from airnub_prefect_starter.core.lake.faults import translated
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import take_snapshot
from airnub_prefect_starter.core.lake.writing import (
    WriteInfo,
    append,
    delete,
    merge,
    overwrite,
    replace_partition,
    to_arrow,
)
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store

INFO = WriteInfo(RunInfo(flow_run_id="run-1"), "sha256:inputs")
T = "silver/t"


def _frame(*ids: int, part: str = "a", **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"id": pd.array(ids, dtype="Int64"), "part": part})
    return frame.assign(**columns)  # type: ignore[arg-type]


@pytest.fixture
def lake(content_store: Store) -> Lake:
    return Lake.of(content_store)


def _rows(lake: Lake) -> list[tuple[object, ...]]:
    found = lake.read(T).sort_values(["part", "id"])
    return list(found[["id", "part"]].itertuples(index=False, name=None))


def test_a_partition_is_replaced_and_the_others_stay(lake: Lake) -> None:
    replace_partition(lake, T, _frame(1, 2), INFO, column="part", value="a")
    replace_partition(lake, T, _frame(3, part="b"), INFO, column="part", value="b")

    version = replace_partition(lake, T, _frame(4), INFO, column="part", value="a")

    assert version == 2
    assert _rows(lake) == [(4, "a"), (3, "b")]


def test_a_partition_takes_only_its_own_rows(lake: Lake) -> None:
    with pytest.raises(TableSchemaError, match="other partitions"):
        replace_partition(lake, T, _frame(1, part="b"), INFO, column="part", value="a")


def test_values_with_quotes_are_values(lake: Lake) -> None:
    odd = "it's = 'odd'"
    replace_partition(lake, T, _frame(1, part=odd), INFO, column="part", value=odd)
    replace_partition(lake, T, _frame(2, part=odd), INFO, column="part", value=odd)

    assert lake.read(T, partitions={"part": odd})["id"].tolist() == [2]


def test_a_merge_updates_inserts_and_deletes_in_its_partition(lake: Lake) -> None:
    overwrite(lake, T, _frame(1, 2), INFO)
    append(lake, T, _frame(9, part="b"), INFO)

    counts = merge(
        lake,
        T,
        _frame(2, 3, note="new"),
        INFO,
        key=["id"],
        partition=("part", "a"),
        delete_missing=True,
    )

    assert (counts.inserted, counts.updated, counts.deleted) == (1, 1, 1)
    assert _rows(lake) == [(2, "a"), (3, "a"), (9, "b")]
    assert lake.read(T).sort_values("id")["note"].fillna("").tolist() == ["new", "new", ""]


def test_a_merge_of_the_same_rows_changes_no_row(lake: Lake) -> None:
    rows = _frame(1, 2)
    merge(lake, T, rows, INFO, key=["id"])
    before = take_snapshot(lake, T, key=["id"]).digest

    counts = merge(lake, T, rows, INFO, key=["id"], delete_missing=True)

    assert (counts.inserted, counts.deleted) == (0, 0)
    assert take_snapshot(lake, T, key=["id"]).digest == before


def test_deleting_nothing_commits_nothing(lake: Lake) -> None:
    version = overwrite(lake, T, _frame(1), INFO)

    assert delete(lake, T, "id = 7", INFO) == 0
    assert lake.open(T).version() == version
    assert delete(lake, T, "id = 1", INFO) == 1


WRONG: dict[str, Callable[[Lake], object]] = {
    "a column too few": lambda lake: overwrite(lake, T, _frame(1)[["id"]], INFO),
    "a column too many": lambda lake: overwrite(lake, T, _frame(1, extra="x"), INFO),
    "text for numbers": lambda lake: merge(lake, T, _frame(1).assign(id=["x"]), INFO, key=["part"]),
}


@pytest.mark.parametrize("write", WRONG.values(), ids=list(WRONG))
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    lake: Lake, write: Callable[[Lake], object]
) -> None:
    version = overwrite(lake, T, _frame(1), INFO)

    with pytest.raises(TableSchemaError):
        write(lake)

    assert lake.open(T).version() == version


def test_a_writer_that_read_before_another_wrote_is_told_to_try_again(lake: Lake) -> None:
    overwrite(lake, T, _frame(1), INFO)
    merger = lake.open(T).merge(to_arrow(_frame(1)), "t.id = s.id", "s", "t")
    append(lake, T, _frame(2), INFO)

    with pytest.raises(TableConflictError) as caught, translated("Merging"):
        merger.when_matched_update_all().execute()

    assert caught.value.transient


READS: dict[str, tuple[type[Exception], Callable[[Lake], object]]] = {
    "no table": (ObjectNotFoundError, lambda lake: lake.open("gold/none")),
    "no version": (ObjectNotFoundError, lambda lake: lake.open(T, version=99)),
    "no layer": (ConfigError, lambda lake: lake.open("platinum/t")),
    "a way out": (ConfigError, lambda lake: lake.open("silver/../../x")),
    "no column": (TableSchemaError, lambda lake: lake.query("SELECT nope FROM t", {"t": T})),
    "no SQL": (TableSchemaError, lambda lake: lake.query("SELEC 1", {"t": T})),
    "no table in SQL": (TableSchemaError, lambda lake: lake.query("SELECT 1 FROM u", {"t": T})),
}


@pytest.mark.parametrize(("error", "read"), READS.values(), ids=list(READS))
def test_what_cannot_be_read_is_one_clear_line(
    lake: Lake, error: type[Exception], read: Callable[[Lake], object]
) -> None:
    overwrite(lake, T, _frame(1), INFO)

    with pytest.raises(error) as caught:
        read(lake)

    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_lost_file_is_told_as_damage(lake: Lake, content_store: Store) -> None:
    overwrite(lake, T, _frame(1), INFO)
    for stat in list(content_store.backend.list("tables/")):
        if stat.key.endswith(".parquet"):
            content_store.backend.delete([stat.key])

    with pytest.raises(CorruptObjectError):
        lake.read(T)


def test_a_broken_log_is_told_as_damage(lake: Lake, content_store: Store) -> None:
    overwrite(lake, T, _frame(1), INFO)
    (log,) = (s.key for s in content_store.backend.list("tables/") if s.key.endswith(".json"))
    path = content_store.backend.local_path(log)
    assert path is not None
    path.write_text('{"protocol": ')

    with pytest.raises(CorruptObjectError):
        lake.read(T)


SERVER_SAYS: dict[str, type[Exception]] = {
    "Generic S3 error: error sending request for url (http://s/00404.json)": StoreUnavailableError,
    "Generic S3 error: status code: 503 for part-0404a.parquet": StoreUnavailableError,
    "Generic S3 error: status code: 404 Not Found: <Code>NoSuchKey</Code>": CorruptObjectError,
    "Object at location part-1.parquet not found: HTTP error 404": CorruptObjectError,
}


@pytest.mark.parametrize(("text", "error"), SERVER_SAYS.items(), ids=str)
def test_a_server_that_is_away_is_not_taken_for_a_lost_file(
    text: str, error: type[Exception]
) -> None:
    with pytest.raises(error), translated("Reading"):
        raise OSError(text)


def test_tables_are_listed_by_their_logs(lake: Lake) -> None:
    assert lake.tables() == []
    overwrite(lake, "silver/b", _frame(1), INFO)
    overwrite(lake, "bronze/a", _frame(1), INFO)

    assert lake.tables() == ["bronze/a", "silver/b"]
    assert lake.exists("silver/b")
    assert not lake.exists("silver/a")


def test_equal_rows_have_equal_digests_in_whatever_files(lake: Lake) -> None:
    overwrite(lake, T, _frame(1, 2, 3), INFO)
    append(lake, "silver/u", _frame(3), INFO)
    append(lake, "silver/u", _frame(2, 1), INFO)

    one, other = (take_snapshot(lake, name, key=["id"]).digest for name in (T, "silver/u"))
    assert one == other
    append(lake, "silver/u", _frame(4), INFO)
    assert take_snapshot(lake, "silver/u", key=["id"]).digest != one
