from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.core.steps import SUMMARY_TABLES
from airnub_prefect_starter.core.summaries import SUMMARIES, Tables

HOUR = pd.Timestamp("2013-01-01T10:00:00Z")


def _flights() -> pd.DataFrame:
    columns = ["year", "month", "hour", "carrier", "origin", "dest", "dep_time", "dep_delay"]
    rows = [
        (2013, 1, 5, "UA", "EWR", "IAH", 517, 2),
        (2013, 1, 5, "UA", "EWR", "IAH", 533, 4),
        (2013, 1, 6, "AA", "JFK", "MIA", pd.NA, pd.NA),
        (2013, 10, 6, "AA", "JFK", "IAH", 600, -3),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    frame["dep_time"] = frame["dep_time"].astype("Int64")
    frame["dep_delay"] = frame["dep_delay"].astype("Int64")
    hours = [HOUR, HOUR, HOUR, HOUR + pd.Timedelta(hours=1)]
    return frame.assign(distance=[1400, 1400, 1089, 1400], time_hour=hours)


TABLES: Tables = {
    "flights": _flights(),
    "weather": pd.DataFrame(
        {
            "origin": ["EWR", "JFK", "LGA"],
            "time_hour": [HOUR] * 3,
            "precip": [0.1, 0.0, np.nan],
            "visib": [10.0, 1.5, 10.0],
            "wind_speed": [5.0, 30.0, np.nan],
        }
    ),
    "airports": pd.DataFrame(
        {
            "faa": ["IAH", "EWR", "XXX"],
            "name": ["George Bush", "Newark", "Nowhere"],
            "alt": [97, 18, 1],
            "tzone": ["America/Chicago", "America/New_York", None],
        }
    ),
}
DELAYS = ["flights", "mean_delay_min", "median_delay_min", "cancelled_percent"]


def _rows(name: str) -> list[tuple[object, ...]]:
    frame = SUMMARIES[name](TABLES)
    return list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("flights_by_month", [("2013-01", 3, 3.0, 3.0, 33.33), ("2013-10", 1, -3.0, -3.0, 0.0)]),
        (
            "flights_by_month_and_origin",
            [
                ("2013-01", "EWR", 2, 3.0, 3.0, 0.0),
                ("2013-01", "JFK", 1, None, None, 100.0),
                ("2013-10", "JFK", 1, -3.0, -3.0, 0.0),
            ],
        ),
        ("flights_by_carrier", [("AA", 2, -3.0, -3.0, 50.0), ("UA", 2, 3.0, 3.0, 0.0)]),
        ("delays_by_hour", [(5, 2, 3.0, 3.0, 0.0), (6, 2, -3.0, -3.0, 50.0)]),
        (
            "delays_by_weather",
            [
                ("low visibility", 1, None, None, 100.0),
                ("not observed", 1, -3.0, -3.0, 0.0),
                ("precipitation", 2, 3.0, 3.0, 0.0),
            ],
        ),
        (
            "busiest_routes",
            [
                ("EWR", "IAH", 2, 3.0, 3.0, 0.0, 1400),
                ("JFK", "IAH", 1, -3.0, -3.0, 0.0, 1400),
                ("JFK", "MIA", 1, None, None, 100.0, 1089),
            ],
        ),
        (
            "busiest_destinations",
            [
                ("IAH", 3, 1.0, 2.0, 0.0, "George Bush"),
                ("MIA", 1, None, None, 100.0, None),
            ],
        ),
        ("airports_by_timezone", [("America/Chicago", 1, 97), ("America/New_York", 1, 18)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_summary(name: str, rows: list[tuple[object, ...]]) -> None:
    assert _rows(name) == rows


@pytest.mark.parametrize("name", SUMMARIES)
def test_order_of_input_rows_does_not_matter(name: str) -> None:
    backwards = {name: frame.iloc[::-1] for name, frame in TABLES.items()}

    pd.testing.assert_frame_equal(SUMMARIES[name](backwards), SUMMARIES[name](TABLES))


@pytest.mark.parametrize("name", SUMMARIES)
def test_reads_only_the_tables_that_it_names(name: str) -> None:
    assert not SUMMARIES[name]({each: TABLES[each] for each in SUMMARY_TABLES[name]}).empty


@pytest.mark.parametrize("name", SUMMARIES)
def test_no_rows_give_an_empty_summary(name: str) -> None:
    summary = SUMMARIES[name]({each: frame.iloc[:0] for each, frame in TABLES.items()})

    assert summary.empty
    assert list(summary.columns) == list(SUMMARIES[name](TABLES).columns)
