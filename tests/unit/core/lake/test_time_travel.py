"""Tables as they were: by version, by date, and what changed in between."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.time_travel import (
    compare,
    core_compare_last_versions,
    find_commit,
    history,
    last_changes,
    parse_as_of,
    read_as_of,
)
from airnub_prefect_starter.core.store import Store, open_store
from tests.lake_kit import put_table

TABLE = "gold/daily_flights"
OLD = pd.DataFrame({"origin": ["EWR", "JFK", "JFK"], "flights": [1, 2, 2]})
NEW = pd.DataFrame(
    {"origin": ["EWR", "JFK", "LGA"], "flights": [1, 2, 5], "extra": ["a", "b", "c"]}
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri(), durability="none")


@pytest.fixture
def lake(store: Store) -> Lake:
    put_table(store, TABLE, OLD, ["origin"])
    lake = Lake.of(store)
    lake.open(TABLE).alter.set_table_properties({"delta.appendOnly": "false"})
    put_table(store, TABLE, NEW, ["origin"])
    return lake


def test_the_history_tells_who_made_each_version_of_what(lake: Lake) -> None:
    newest, properties, oldest = history(lake.open(TABLE))

    assert [newest.version, properties.version, oldest.version] == [2, 1, 0]
    assert (oldest.run_id, oldest.inputs, oldest.rows_added) == ("run-1", "sha256:test", 3)
    assert oldest.at.tzinfo is not None
    assert not properties.changed_rows


def test_rows_that_are_in_one_version_alone_are_counted(lake: Lake) -> None:
    before, after = last_changes(lake, TABLE)

    found = compare(lake, TABLE, before, after)

    assert (before.version, after.version) == (0, 2)
    assert (found.rows_before, found.rows_after) == (3, 3)
    # One of the two equal rows of JFK went; the column that only one version has does not count.
    assert (found.added, found.removed) == (1, 1)


@pytest.mark.parametrize(("flights", "changed"), [(["1", "2", "2"], 0), (["1", "2", "9"], 1)])
def test_a_column_of_another_type_is_compared_as_text(
    lake: Lake, store: Store, flights: list[str], changed: int
) -> None:
    put_table(store, TABLE, OLD.assign(flights=flights), ["origin"])

    found = compare(lake, TABLE, find_commit(lake, TABLE, 0), last_changes(lake, TABLE)[1])

    assert (found.added, found.removed) == (changed, changed)


def test_versions_without_a_column_in_common_are_not_compared(lake: Lake, store: Store) -> None:
    put_table(store, TABLE, pd.DataFrame({"carrier": ["UA"]}), ["carrier"])

    found = core_compare_last_versions(lake, TABLE)

    assert found.difference is None
    assert "no column" in found.why_not


def test_a_version_compared_with_itself_has_no_difference(lake: Lake) -> None:
    only = find_commit(lake, TABLE, 0)

    found = compare(lake, TABLE, only, only)

    assert (found.added, found.removed, found.rows_before) == (0, 0, 3)


def test_a_table_is_read_as_it_was(lake: Lake) -> None:
    found = read_as_of(lake, TABLE, find_commit(lake, TABLE, 0))

    pd.testing.assert_frame_equal(found, OLD, check_dtype=False)


def test_a_time_finds_the_last_version_before_it(lake: Lake) -> None:
    first = history(lake.open(TABLE))[-1]

    assert find_commit(lake, TABLE, dt.datetime.now(dt.UTC) + dt.timedelta(1)).version == 2
    with pytest.raises(ObjectNotFoundError, match="versions 0 to 2"):
        find_commit(lake, TABLE, first.at - dt.timedelta(seconds=1))
    with pytest.raises(ObjectNotFoundError, match="as of version 9"):
        find_commit(lake, TABLE, 9)


def test_a_version_whose_files_are_gone_says_so(lake: Lake, store: Store) -> None:
    lake.open(TABLE).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    with pytest.raises(ObjectNotFoundError, match=r"Files of version 0 .* removed by maintenance"):
        read_as_of(lake, TABLE, find_commit(lake, TABLE, 0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("2013-01-31", dt.datetime(2013, 1, 31, 23, 59, 59, 999999, dt.UTC)),
        ("2013-01-31T12:00:00Z", dt.datetime(2013, 1, 31, 12, tzinfo=dt.UTC)),
        ("2013-01-31T12:00:00+09:00", dt.datetime(2013, 1, 31, 3, tzinfo=dt.UTC)),
    ],
)
def test_times_are_read(text: str, expected: object) -> None:
    assert parse_as_of(text) == expected


@pytest.mark.parametrize("text", ["soon", "2013-02-31", "2013-01-31T12:00:00", "-1", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="neither a version"):
        parse_as_of(text)
