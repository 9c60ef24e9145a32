from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.backfill import (
    DatedRef,
    dated_refs,
    dates_between,
    missing_data,
)
from airnub_prefect_starter.core.store import Committed, Store, layout
from airnub_prefect_starter.core.store.digest import Digest

PutSource = Callable[..., Committed]

FIRST, LAST = dt.date(2013, 1, 1), dt.date(2013, 1, 30)
TODAY = dt.date(2026, 1, 31)
NAMESPACE = "ingestion.files"
DAYS = DatedRef(NAMESPACE, "flights-{date}")


def test_both_ends_of_a_range_count() -> None:
    dates = dates_between(FIRST, LAST, today=TODAY)

    assert (len(dates), dates[0], dates[-1]) == (30, FIRST, LAST)
    assert dates == sorted(set(dates))
    assert dates_between(TODAY, TODAY, today=TODAY) == [TODAY]


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (LAST, FIRST, "--from 2013-01-30 is after --to 2013-01-01"),
        (FIRST, dt.date(2026, 2, 1), "--to 2026-02-01 is in the future"),
        (dt.date(2013, 1, 1), dt.date(2015, 9, 28), "are 1,001 dates, more than 1,000"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused(first: dt.date, last: dt.date, found: str) -> None:
    with pytest.raises(ConfigError, match=found) as raised:
        dates_between(first, last, today=TODAY)

    assert raised.value.remedy


def test_a_long_range_may_be_meant() -> None:
    assert len(dates_between(FIRST, dt.date(2015, 9, 27), today=TODAY)) == 1_000
    assert len(dates_between(FIRST, dt.date(2015, 9, 28), today=TODAY, many=True)) == 1_001


def test_refs_by_date_are_found_wherever_a_source_stands() -> None:
    section = {
        "files": [
            {"source_id": "airlines", "url": "https://h.example"},
            {"source_id": "flights-{date}", "url": "https://h.example/{date}"},
        ],
        "nested": {"pages": [{"source_id": "{date:%Y-%m}.page"}]},
        "title": "{date}",
    }

    found = list(dated_refs(NAMESPACE, section))

    assert found == [DAYS, DatedRef(NAMESPACE, "{date:%Y-%m}.page")]
    assert found[1].on(FIRST) == (NAMESPACE, "2013-01.page")


@pytest.fixture
def dates() -> list[dt.date]:
    return dates_between(FIRST, LAST, today=TODAY)


@pytest.fixture
def filled(content_store: Store, put_source: PutSource, dates: list[dt.date]) -> Store:
    for date in dates:
        put_source(f"{NAMESPACE}/flights-{date}", f"flights of {date}".encode())
    return content_store


def blob_file(store: Store, tmp_path: Path, date: dt.date) -> Path:
    ref = store.ref(*DAYS.on(date))
    assert ref is not None
    assert ref.blob is not None
    return tmp_path / "store" / layout.blob_key(Digest(ref.blob.digest))


def test_nothing_is_missing_where_all_is_there(filled: Store, dates: list[dt.date]) -> None:
    assert missing_data(filled, [DAYS], dates) == {}


def test_exactly_the_dates_without_their_bytes_are_missing(
    filled: Store, dates: list[dt.date], tmp_path: Path
) -> None:
    for date in (dates[4], dates[11], dates[29]):
        blob_file(filled, tmp_path, date).unlink()

    found = missing_data(filled, [DAYS], dates)

    assert list(found) == [dates[4], dates[11], dates[29]]
    assert "ingestion.files/flights-2013-01-05: its blob " in found[dates[4]]
    assert found[dates[4]].endswith("is gone")


def test_a_date_is_missing_for_each_thing_that_a_source_lacks(
    filled: Store, dates: list[dt.date], tmp_path: Path
) -> None:
    root = tmp_path / "store"
    manifest = filled.ref(*DAYS.on(dates[1]))
    assert manifest is not None
    (root / layout.ref_key(*DAYS.on(dates[0]))).unlink()
    (root / layout.manifest_key(Digest(manifest.manifest.digest))).unlink()
    cut = blob_file(filled, tmp_path, dates[2])
    cut.chmod(0o600)
    cut.write_bytes(b"cut")
    (root / layout.ref_key(*DAYS.on(dates[3]))).write_bytes(b"no ref")

    found = missing_data(filled, [DAYS], dates)

    assert list(found) == dates[:4]
    assert found[dates[0]] == "ingestion.files/flights-2013-01-01 was never stored"
    assert "manifests/" in found[dates[1]]
    assert found[dates[2]].endswith("has 3 bytes, not 21")
    assert "flights-2013-01-04" in found[dates[3]]


def test_a_date_lacks_what_any_of_its_sources_lacks(
    filled: Store, put_source: PutSource, dates: list[dt.date]
) -> None:
    put_source(f"{NAMESPACE}/weather-2013-01-01", b"rain")
    weather = DatedRef(NAMESPACE, "weather-{date}")

    found = missing_data(filled, [DAYS, weather], dates[:3])

    assert list(found) == dates[1:3]
    assert found[dates[1]] == "ingestion.files/weather-2013-01-02 was never stored"
