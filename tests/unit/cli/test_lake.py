"""``airnub lake``: tables, their past and queries, for people and for programs."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.lake_kit import put_table
from tests.unit.cli.kit import Project, require_one_line

TABLE = "gold/daily_flights"
SQL = "SELECT origin, flights FROM gold_daily_flights ORDER BY origin"


@pytest.fixture
def lake(project: Project) -> Project:
    """Give a project whose lake has a table with two versions."""
    store = project.store
    put_table(store, TABLE, pd.DataFrame({"origin": ["EWR"], "flights": [1234]}), ["origin"])
    later = pd.DataFrame({"origin": ["EWR", "JFK"], "flights": [2, None]}).convert_dtypes()
    put_table(store, TABLE, later, ["origin"])
    return project


def test_every_table_is_listed(lake: Project) -> None:
    done = lake.run("lake", "tables")

    assert done.code == 0, done.stderr
    assert "gold/daily_flights" in done.text
    (table,) = lake.run("lake", "tables", "--json").json
    assert (table["table"], table["version"], table["rows"]) == (TABLE, 1, 2)


def test_a_table_is_shown_with_who_made_it(lake: Project) -> None:
    done = lake.run("lake", "show", TABLE)

    assert done.code == 0, done.stderr
    for text in ("2 in 1 file", "run-1", "processing.lake_etl/gold.daily_flights", "flights  long"):
        assert text in done.text
    assert lake.run("lake", "show", TABLE, "--json").json["columns"][0] == {
        "name": "origin",
        "type": "string",
    }


def test_the_history_has_the_newest_version_first(lake: Project) -> None:
    versions = lake.run("lake", "history", TABLE, "--json").json

    assert [each["version"] for each in versions] == [1, 0]
    assert versions[0]["run_id"] == "run-1"
    assert "WRITE" in lake.run("lake", "history", TABLE).text


def test_a_query_reads_tables_as_they_are_or_were(lake: Project) -> None:
    now = lake.run("lake", "query", SQL, "--json").json
    before = lake.run("lake", "query", SQL, "--as-of", "0", "--json").json
    then = lake.run("lake", "query", SQL, "--as-of", "2999-12-31", "--json").json

    assert now == then == [{"origin": "EWR", "flights": 2}, {"origin": "JFK", "flights": None}]
    assert before == [{"origin": "EWR", "flights": 1234}]
    assert "1,234" in lake.run("lake", "query", SQL, "--as-of", "0").text


def test_a_query_may_give_lists(lake: Project) -> None:
    sql = "SELECT array_agg(flights) AS all FROM gold_daily_flights WHERE origin = 'EWR'"

    (row,) = lake.run("lake", "query", sql, "--json").json

    assert row["all"] == [2]


def test_rows_beyond_the_limit_are_told(lake: Project) -> None:
    done = lake.run("lake", "query", SQL, "--limit", "1")

    assert "JFK" not in done.text
    assert "… and more than these 1 rows" in done.text
    assert len(lake.run("lake", "query", SQL, "--limit", "1", "--json").json) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("query", "SELECT nix FROM gold_daily_flights"), 3, "No field named nix"),
        (("query", "COPY gold_daily_flights TO 'x'"), 3, "must begin with SELECT or WITH"),
        (("query", "SELECT 1"), 3, "names no table of this lake"),
        (("query", SQL, "--as-of", "soon"), 3, "neither a version"),
        (("query", SQL, "--as-of", "2013-01-01"), 22, "nothing as of 2013-01-01T23:59:59Z"),
        (("query", SQL, "--as-of", "7"), 22, "as of version 7"),
        (("show", "gold/daily_flight"), 22, "Did you mean gold/daily_flights"),
        (("history", "silver/flights"), 22, "There is no table silver/flights"),
        (("show", "platinum/x"), 3, "cannot be a table"),
    ],
)
def test_mistakes_are_one_line_with_what_to_do(
    lake: Project, arguments: tuple[str, ...], code: int, message: str
) -> None:
    require_one_line(lake.run("lake", *arguments), code, message)


def test_a_lake_without_tables_has_an_empty_list(project: Project) -> None:
    project.store.put_bytes(b"something")

    assert project.run("lake", "tables", "--json").json == []


def test_a_store_that_is_not_there_is_one_line(project: Project) -> None:
    require_one_line(project.run("lake", "tables"), 22, "There is no store")
