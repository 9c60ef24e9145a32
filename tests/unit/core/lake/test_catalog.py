"""The catalog says what the tables are, and is written when one has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.lake.catalog import (
    core_publish_catalog,
    read_catalog,
    read_entry,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.shown import catalog_markdown
from airnub_prefect_starter.core.lake.snapshots import read_snapshot
from airnub_prefect_starter.core.lake.writing import WriteInfo, append, replace_partition
from airnub_prefect_starter.core.lineage import trace
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store, open_store
from tests.lake_kit import RUN, put_table, ref_of

NAMESPACE = "publishing.catalog"
INFO = WriteInfo(RUN, "sha256:made-of")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store((tmp_path / "store").as_uri(), durability="none")
    put_table(store, "gold/days", pd.DataFrame({"day": ["a", "b"], "n": [1, 2]}), ["day"])
    return store


def test_what_the_log_says_of_a_table(store: Store) -> None:
    lake = Lake.of(store)
    for month in ("01", "02", "01"):
        frame = pd.DataFrame({"month": month, "flight": [1, 2]})
        replace_partition(lake, "silver/flights", frame, INFO, column="month", value=month)

    found = read_entry(store, "silver/flights")

    assert (found.version, found.first_version, found.versions) == (2, 0, 3)
    assert (found.partition_by, found.partitions, found.files, found.rows) == (("month",), 2, 2, 4)
    columns = [(each.name, each.type) for each in found.columns]
    assert columns == [("month", "string"), ("flight", "long")]
    assert found.bytes > 0
    assert (found.last_commit.run_id, found.last_commit.inputs) == ("run-1", "sha256:made-of")
    assert found.ref is None


def test_the_step_that_made_a_table_is_named(store: Store) -> None:
    found = read_entry(store, "gold/days")

    assert found.ref == ref_of("gold/days")
    assert found.digest == read_snapshot(store, ref_of("gold/days")).digest


def test_it_is_stored_as_json_and_leads_to_the_tables(store: Store) -> None:
    result = core_publish_catalog(store, namespace=NAMESPACE, run=RunInfo())

    (table,) = json.loads(store.read_blob(result.outputs[0].blob.digest))["tables"]
    assert (table["table"], table["rows"], table["version"]) == ("gold/days", 2, 0)
    assert "gold.days" in str(trace(store, f"{NAMESPACE}/catalog"))


def test_it_is_written_when_a_table_has_a_new_version_only(store: Store) -> None:
    assert core_publish_catalog(store, namespace=NAMESPACE).outcome == "stored"
    assert core_publish_catalog(store, namespace=NAMESPACE).outcome == "not_modified"

    # A table that no step has made, such as the history of checks, counts as well.
    append(Lake.of(store), "ops/checks", pd.DataFrame({"check": ["fresh"]}), INFO)

    again = core_publish_catalog(store, namespace=NAMESPACE)
    assert again.outcome == "stored"
    assert [each.table for each in read_catalog(store, again).tables] == ["gold/days", "ops/checks"]


def test_a_lake_without_tables_has_an_empty_catalog(tmp_path: Path) -> None:
    store = open_store((tmp_path / "empty").as_uri(), durability="none")

    found = read_catalog(store, core_publish_catalog(store, namespace=NAMESPACE))

    assert found.tables == ()
    assert "**0 tables**" in catalog_markdown(found, "data_lake")


def test_people_see_every_table_with_its_columns(store: Store) -> None:
    result = core_publish_catalog(store, namespace=NAMESPACE)

    shown = catalog_markdown(read_catalog(store, result), "data_lake")

    assert "| `gold/days` | 0 | 2 | 1 |" in shown
    assert "day *string*, n *long*" in shown


def test_a_table_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match="silver/planes"):
        read_entry(store, "silver/planes")
