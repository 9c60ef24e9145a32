from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import ConfigError, PayloadError
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.object_table import (
    FILE,
    LINEAGE,
    ObjectTable,
    core_make_object_table,
    distinct,
)
from airnub_prefect_starter.core.manifest_models import RunInfo, SourceResult
from airnub_prefect_starter.core.object_listing import (
    ListedObject,
    land_object,
    list_objects,
    open_folder,
)
from airnub_prefect_starter.core.store import Store, open_store

RUN = RunInfo()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri(), durability="none")


Landed = tuple[list[ListedObject], list[SourceResult]]


def _land(store: Store, place: Path, files: dict[str, bytes]) -> Landed:
    place.mkdir(exist_ok=True)
    for name, body in files.items():
        (place / name).write_bytes(body)
    folder = open_folder(place.as_uri())
    items = list_objects(folder)
    return items, [land_object(store, folder, each, namespace="files", run=RUN) for each in items]


def _tables(store: Store, landed: Landed, namespace: str = "tables") -> ObjectTable:
    items, results = landed
    return core_make_object_table(
        store, "things", items, landed=results, namespace=namespace, run=RUN
    )


def _make(store: Store, place: Path, files: dict[str, bytes]) -> ObjectTable:
    return _tables(store, _land(store, place, files))


def _rows(**columns: list[str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(columns, dtype="str")
    return frame.assign(**dict.fromkeys(LINEAGE, "x"))


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2", None], "Int64"),
        (["1", "2.5"], "float64"),
        (["007", "008"], "str"),
        (["2024-01-01T00:00:00Z", "2024-01-02T00:00:00+01:00"], "datetime64[us, UTC]"),
        (["2024-01-01", "2024-01-02"], "date32[day][pyarrow]"),
        (["1", "b"], "str"),
        (["0", "1"], "Int64"),
    ],
)
def test_a_column_has_the_narrowest_type_that_fits(texts: list[str | None], kind: str) -> None:
    found, _ = distinct(_rows(value=texts, other=["a"] * len(texts)))

    assert str(found["value"].dtype) == kind


def test_empty_and_repeated_rows_are_dropped_and_counted() -> None:
    rows = _rows(id=["1", "1", None, "2"], name=["a", "a", "NA", None])
    rows[FILE] = ["one", "two", "two", "two"]

    found, counts = distinct(rows)

    assert found["id"].tolist() == [1, 2]
    assert found[FILE].tolist() == ["one", "two"]
    assert (counts.rows_in, counts.rows_out, counts.rejected, counts.duplicates) == (4, 2, 1, 1)


def test_forms_of_json_are_read_alike(store: Store, tmp_path: Path) -> None:
    files = {
        "list.json": b'[{"a": 1}, {"a": 2}]',
        "one.json": b'{"a": 3}',
        "lines.json": b'{"a": 4}\n{"a": 5}\n',
        "more.ndjson": b'{"a": 6}\n',
    }

    made = _make(store, tmp_path / "in", files)

    assert made.unreadable == {}
    assert sorted(Lake.of(store).read("silver/things")["a"]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("bad.parquet", b"PAR1 no", "Parquet"),
        ("bad.json", b"[1, 2]", "no list of objects"),
        ("bad.csv", b'a\n"open\n', "quotation"),
        ("bad.txt", b"hello", "none of csv"),
        ("empty.csv", b"", "empty"),
        ("nameless.json", b'[{"": 1}]', "no plain name"),
        ("ours.csv", b"a,_file\n1,2\n", "columns of our own"),
    ],
)
def test_what_cannot_be_read_is_aside_with_the_reason_until_it_is_good(
    store: Store, tmp_path: Path, name: str, body: bytes, why: str
) -> None:
    made = _make(store, tmp_path / "in", {"good.csv": b"a\n1\n", name: body})

    lake = Lake.of(store)
    assert list(made.unreadable) == [name]
    assert why in made.unreadable[name]
    assert lake.read("quarantine/things")[FILE].tolist() == [name]
    assert lake.read("silver/things")["a"].tolist() == [1]
    (tmp_path / "in" / name).unlink()
    assert _make(store, tmp_path / "in", {}).unreadable == {}
    assert lake.read("quarantine/things").empty


def test_nothing_readable_makes_no_table(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="No file of things can be read"):
        _make(store, tmp_path / "in", {"bad.txt": b"hello"})

    assert Lake.of(store).tables() == ["quarantine/things"]


def test_a_table_is_of_the_files_of_its_own_run(store: Store, tmp_path: Path) -> None:
    ours = _land(store, tmp_path / "in", {"a.csv": b"id\n1\n"})
    _land(store, tmp_path / "elsewhere", {"a.csv": b"id\n2\n"})

    _tables(store, ours)

    assert Lake.of(store).read("silver/things")["id"].tolist() == [1]


def test_a_table_of_another_category_is_not_replaced(store: Store, tmp_path: Path) -> None:
    landed = _land(store, tmp_path / "in", {"a.csv": b"id\n1\n"})
    _tables(store, landed, namespace="processing.lake_etl")
    version = Lake.of(store).open("silver/things").version()

    with pytest.raises(ConfigError, match=r"processing\.lake_etl makes the table things"):
        _tables(store, landed)

    assert Lake.of(store).open("silver/things").version() == version


def test_equal_files_are_equal_tables(store: Store, tmp_path: Path) -> None:
    files = {"a.csv": b"id,x\n1,2\n", "b.csv": b"id,y\n2,z\n"}
    first = _make(store, tmp_path / "in", files)

    again = _make(store, tmp_path / "in", {})
    other = open_store((tmp_path / "other").as_uri(), durability="none")
    elsewhere = _make(other, tmp_path / "in", {})

    assert again.silver.outcome == "not_modified"
    assert elsewhere.silver.table_digest == first.silver.table_digest
