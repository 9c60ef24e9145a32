"""The figures of the department's gold tables are those that plain pandas gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from airnub_prefect_starter.core.lake.gold import core_make_gold
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.store import Store, open_store
from tests.lake_kit import NAMESPACE, put_table

ROOT = Path(__file__).parents[4]
FILE = ROOT / "configs/variables/dept_data_lake/processing/lake_etl.yaml"
HOURS = pd.date_range("2013-01-01T05:00Z", periods=24 * 40, freq="h", unit="us")


def flights(rows: int = 3000) -> pd.DataFrame:
    """Make flights of which some were cancelled and some never arrived."""
    random = np.random.default_rng(1)
    hour = random.choice(HOURS, rows)
    local = pd.Series(hour) - pd.Timedelta(hours=5)
    departed = random.random(rows) > 0.1
    arrived = departed & (random.random(rows) > 0.05)
    delay = random.integers(-20, 300, rows)
    return pd.DataFrame(
        {
            "year": local.dt.year.astype("int64"),
            "month": local.dt.month.astype("int64"),
            "day": local.dt.day.astype("int64"),
            "carrier": random.choice(["AA", "B6", "ZZ"], rows),
            "flight": range(rows),
            "origin": random.choice(["EWR", "JFK", "LGA"], rows),
            "dest": random.choice(["BOS", "LAX"], rows),
            "dep_time": pd.Series(random.integers(1, 2400, rows)).where(departed).astype("Int64"),
            "dep_delay": pd.Series(delay).where(departed).astype("Int64"),
            "arr_delay": pd.Series(delay - 5).where(arrived).astype("Int64"),
            "time_hour": hour,
        }
    )


def weather() -> pd.DataFrame:
    """Make hours of which some are missing, as are some of their measurements."""
    random = np.random.default_rng(2)
    hours = pd.MultiIndex.from_product([["EWR", "JFK"], HOURS], names=["origin", "time_hour"])
    frame = hours.to_frame(index=False).sample(frac=0.9, random_state=3)
    size = len(frame)
    frame["visib"] = np.where(random.random(size) < 0.1, np.nan, random.uniform(0, 11, size))
    frame["wind_speed"] = np.where(random.random(size) < 0.1, np.nan, random.uniform(0, 40, size))
    return frame


FLIGHTS, WEATHER = flights(), weather()
AIRLINES = pd.DataFrame({"carrier": ["AA", "B6"], "name": ["American Airlines", "JetBlue"]})
POSTS = pd.DataFrame(
    {"id": [1, 2, 3], "userId": [7, 7, 9], "title": ["ä", "bc", ""], "body": ["x y", "z", "w"]}
)
STEPS = {
    each["name"]: GoldStep.model_validate(each) for each in yaml.safe_load(FILE.read_text())["gold"]
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(tmp_path_factory.mktemp("lake").as_uri(), durability="none")
    put_table(store, "silver/flights", FLIGHTS, ["time_hour", "carrier", "flight"])
    put_table(store, "silver/weather", WEATHER, ["origin", "time_hour"])
    put_table(store, "silver/airlines", AIRLINES, ["carrier"])
    put_table(store, "silver/posts", POSTS, ["id"])
    return store


def gold(store: Store, name: str) -> pd.DataFrame:
    step = STEPS[name]
    core_make_gold(store, step, namespace=NAMESPACE)
    return Lake.of(store).read(step.table).sort_values(list(step.key), ignore_index=True)


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare figures, whatever integer or float types they have."""
    assert list(found.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(
        found.astype(object).where(found.notna(), None),
        expected.astype(object).where(expected.notna(), None),
        check_dtype=False,
        check_column_type=False,
        rtol=1e-12,
    )


def counted(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    groups = frame.groupby(by, dropna=False)
    return pd.DataFrame(
        {
            "flights": groups.size(),
            "cancelled": groups.size() - groups["dep_time"].count(),
            "mean_dep_delay_min": groups["dep_delay"].mean(),
            "mean_arr_delay_min": groups["arr_delay"].mean(),
            "worst_dep_delay_min": groups["dep_delay"].max(),
        }
    )


def test_daily_flights(store: Store) -> None:
    dated = FLIGHTS.assign(date=pd.to_datetime(FLIGHTS[["year", "month", "day"]]).dt.date)
    expected = counted(dated, ["date", "origin"]).drop(columns="worst_dep_delay_min")

    same(gold(store, "daily_flights"), expected.reset_index())


def test_carrier_performance(store: Store) -> None:
    by = ["carrier", "year", "month"]
    expected = counted(FLIGHTS, by)[["flights", "cancelled", "mean_arr_delay_min"]].reset_index()
    expected.insert(3, "airline", expected["carrier"].map(AIRLINES.set_index("carrier")["name"]))
    arrived = FLIGHTS.dropna(subset="arr_delay")
    on_time = (arrived["arr_delay"] < 15).groupby([arrived[name] for name in by]).mean() * 100
    expected["on_time_percent"] = on_time.to_numpy()

    same(gold(store, "carrier_performance"), expected)


def test_route_delays(store: Store) -> None:
    joined = FLIGHTS.merge(WEATHER, on=["origin", "time_hour"], how="left")
    edges = [-np.inf, 3, 10, np.inf], [-np.inf, 12, 25, np.inf]
    names = ["poor", "fair", "good"], ["light", "fresh", "strong"]
    for column, name, edge, labels in zip(
        ("visib", "wind_speed"), ("visibility", "wind"), edges, names, strict=True
    ):
        bucket = pd.cut(joined[column], edge, right=False, labels=labels)
        joined[name] = bucket.astype("object").where(bucket.notna(), "unknown")
    by = ["origin", "dest", "visibility", "wind"]
    expected = counted(joined, by)[["flights", "mean_dep_delay_min", "worst_dep_delay_min"]]

    same(gold(store, "route_delays"), expected.reset_index())


def test_posts_by_user(store: Store) -> None:
    expected = pd.DataFrame(
        {
            "user_id": [7, 9],
            "posts": [2, 1],
            "title_characters": [3, 0],
            "body_characters": [4, 1],
        }
    )

    same(gold(store, "posts_by_user"), expected)


def test_the_same_rows_in_another_order_give_the_same_table(store: Store, tmp_path: Path) -> None:
    other = open_store((tmp_path / "store").as_uri(), durability="none")
    put_table(other, "silver/flights", FLIGHTS.sample(frac=1, random_state=4), ["flight"])
    step = STEPS["daily_flights"]

    found = core_make_gold(other, step, namespace=NAMESPACE)

    again = core_make_gold(store, step, namespace=NAMESPACE)
    assert found.table_digest == again.table_digest
