"""Gold tables have the figures that plain pandas gives, once, and say what is wrong with SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.core.lake.gold import core_make_gold
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import read_snapshot
from airnub_prefect_starter.core.lineage import trace
from airnub_prefect_starter.core.store import Store, open_store
from tests.lake_kit import NAMESPACE, RUN, put_table, ref_of

FLIGHTS = pd.DataFrame(
    {
        "origin": ["EWR", "JFK", "EWR", "JFK", "EWR"],
        "flight": [1, 2, 3, 4, 5],
        "dep_delay": pd.array([10, None, -3, 4, None], dtype="Int64"),
    }
)
SQL = """
SELECT origin, count(*) AS flights, count(*) - count(dep_delay) AS cancelled,
       avg(dep_delay) AS mean_delay
FROM flights GROUP BY origin
"""


def step(**changes: Any) -> GoldStep:
    values = {
        "name": "by_origin",
        "tables": {"flights": ref_of("silver/flights")},
        "sql": SQL,
        "key": ["origin"],
    }
    return GoldStep.model_validate({**values, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store((tmp_path / "store").as_uri(), durability="none")
    put_table(store, "silver/flights", FLIGHTS, ["flight"])
    return store


def made(store: Store, **changes: Any) -> str:
    return core_make_gold(store, step(**changes), namespace=NAMESPACE, run=RUN).outcome


def test_figures_are_those_of_plain_pandas(store: Store) -> None:
    made(store)

    groups = FLIGHTS.groupby("origin")["dep_delay"]
    expected = groups.agg(["size", "count", "mean"]).reset_index()
    found = Lake.of(store).read("gold/by_origin")
    assert found["origin"].tolist() == ["EWR", "JFK"]
    assert found["flights"].tolist() == expected["size"].tolist()
    assert found["cancelled"].tolist() == (expected["size"] - expected["count"]).tolist()
    assert found["mean_delay"].tolist() == expected["mean"].tolist()


def test_equal_silver_is_computed_once(store: Store) -> None:
    assert made(store) == "stored"
    assert made(store) == "not_modified"
    assert Lake.of(store).open("gold/by_origin").version() == 0

    put_table(store, "silver/flights", FLIGHTS.head(3), ["flight"])

    assert made(store) == "stored"
    assert read_snapshot(store, ref_of("gold/by_origin")).rows == 2


def test_a_table_that_is_gone_is_made_again(store: Store, tmp_path: Path) -> None:
    made(store)
    digest = read_snapshot(store, ref_of("gold/by_origin")).digest
    table = tmp_path / "store" / "tables" / "gold" / "by_origin"
    table.rename(tmp_path / "away")

    made(store)

    assert table.exists()
    assert read_snapshot(store, ref_of("gold/by_origin")).digest == digest
    assert len(Lake.of(store).read("gold/by_origin")) == 2


def test_other_columns_take_the_place_of_the_old_ones(store: Store) -> None:
    made(store)

    made(store, sql="SELECT origin, max(dep_delay) AS worst FROM flights GROUP BY origin")

    snapshot = read_snapshot(store, ref_of("gold/by_origin"))
    assert dict(snapshot.columns) == {"origin": "string", "worst": "long"}
    assert "added worst long" in snapshot.changes


def test_the_commit_says_who_made_it_of_what(store: Store) -> None:
    made(store)

    (entry,) = Lake.of(store).open("gold/by_origin").history()

    assert entry["airnub.flow_run_id"] == "run-1"
    assert entry["airnub.inputs"].startswith("sha256:")


def test_the_trace_leads_to_the_silver_table(store: Store) -> None:
    made(store)

    found = str(trace(store, ref_of("gold/by_origin")))

    assert "silver.flights" in found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sql": "SELECT nothing FROM flights"}, "No field named nothing"),
        ({"sql": "SELECT origin FRM flights"}, "ParserError"),
        ({"sql": "SELECT origin FROM planes"}, "planes' not found"),
        ({"sql": "SELECT origin FROM flights; SELECT 1"}, "ParserError"),
        ({"sql": "SELECT 1/0 AS origin FROM flights"}, "Divide by zero"),
        ({"sql": "SELECT CAST(origin AS int) AS origin FROM flights"}, "Cannot cast string"),
        ({"sql": "SELECT origin FROM flights"}, "key origin has rows with equal ones"),
        ({"sql": "SELECT NULL AS origin"}, "key origin has missing values"),
        ({"key": ["dest"]}, "No field named dest"),
    ],
)
def test_wrong_sql_is_a_mistake_of_the_step(
    store: Store, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(store, **changes)

    assert said in str(caught.value)
    assert caught.value.message.startswith("The SQL of gold/by_origin: ")
    assert len(str(caught.value).splitlines()) == 1
    assert not Lake.of(store).exists("gold/by_origin")


@pytest.mark.parametrize("sql", ["COPY flights TO '/tmp/x'", "DROP TABLE flights", "", "  "])
def test_what_does_more_than_read_is_refused(sql: str) -> None:
    with pytest.raises(ValidationError, match="must begin with SELECT or WITH"):
        step(sql=sql)


def test_a_silver_table_that_is_not_there_yet_is_named(store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"silver\.weather"):
        made(store, tables={"weather": ref_of("silver/weather")})
