"""Maintenance changes files and never rows; what is released stays readable."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from airnub_prefect_starter.common.errors import CorruptObjectError, ObjectNotFoundError
from airnub_prefect_starter.core.lake import maintenance
from airnub_prefect_starter.core.lake.gold import core_make_gold
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.maintenance import core_maintain_table
from airnub_prefect_starter.core.lake.released import released_versions
from airnub_prefect_starter.core.lake.snapshots import take_snapshot
from airnub_prefect_starter.core.lake.time_travel import find_commit, history, read_as_of
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from airnub_prefect_starter.core.lake.writing import WriteInfo, append, replace_partition
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store, open_store
from tests.lake_kit import NAMESPACE, put_table, ref_of

TABLE = "silver/weather"
EVERYTHING = Upkeep(remove=True, retention_hours=0)
RUN = RunInfo(flow_run_id="upkeep-1")


def rows(*values: int) -> pd.DataFrame:
    return pd.DataFrame({"hour": list(values)})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give a table with the versions 0, 1 and 2, of which the ref names the last."""
    store = open_store((tmp_path / "store").as_uri(), durability="none")
    for values in ((1,), (1, 2), (1, 2, 3)):
        put_table(store, TABLE, rows(*values), ["hour"])
    return store


def readable(store: Store) -> list[int]:
    lake = Lake.of(store)
    found = []
    for commit in history(lake.open(TABLE)):
        try:
            read_as_of(lake, TABLE, find_commit(lake, TABLE, commit.version))
        except ObjectNotFoundError:
            continue
        found.append(commit.version)
    return sorted(found)


def test_a_pinned_version_outlives_vacuum_and_an_unreleased_one_does_not(store: Store) -> None:
    put_table(store, TABLE, rows(1, 2, 3, 4), ["hour"])
    first = _manifest_of_version(store, 0)
    store.pin("audit", first)

    done = core_maintain_table(store, TABLE, EVERYTHING, run=RUN)

    assert released_versions(store)[TABLE] == {0, 3}
    assert done.kept == (0, 3)
    assert done.removed == 2  # the files of versions 1 and 2
    versions = readable(store)
    assert {0, 3} <= set(versions)
    assert not {1, 2} & set(versions)
    lake = Lake.of(store)
    assert read_as_of(lake, TABLE, find_commit(lake, TABLE, 0))["hour"].tolist() == [1]


def test_a_pin_of_the_snapshot_itself_counts_as_well(store: Store) -> None:
    manifest = store.manifest(_manifest_of_version(store, 1))
    store.pin("audit", manifest.outputs[0].blob.digest)  # type: ignore[union-attr]

    core_maintain_table(store, TABLE, EVERYTHING)

    assert {1, 2} <= set(readable(store))
    assert 0 not in readable(store)


def test_rows_stay_equal_and_files_become_few(store: Store) -> None:
    lake = Lake.of(store)
    for value in range(4, 12):
        append(lake, TABLE, rows(value), WriteInfo(RunInfo(), "sha256:more"))
    before = take_snapshot(lake, TABLE, key=["hour"])

    done = core_maintain_table(store, TABLE, EVERYTHING, run=RUN)

    after = take_snapshot(lake, TABLE, key=["hour"])
    assert after.digest == before.digest
    assert (done.joined, lake.open(TABLE).get_add_actions().num_rows) == (9, 1)
    assert done.version == after.version
    (joining,) = [c for c in history(lake.open(TABLE)) if c.operation == "OPTIMIZE"]
    assert joining.run_id == "upkeep-1"


def test_without_remove_nothing_goes(store: Store) -> None:
    done = core_maintain_table(store, TABLE, Upkeep(retention_hours=0))

    assert (done.removed, done.applied) == (2, False)
    assert set(readable(store)) >= {0, 1, 2}


def test_a_second_time_there_is_nothing_to_do(store: Store) -> None:
    core_maintain_table(store, TABLE, EVERYTHING)
    version = Lake.of(store).open(TABLE).version()

    done = core_maintain_table(store, TABLE, EVERYTHING)

    assert (done.joined, done.removed, done.version) == (0, 0, version)
    assert done.files_after == done.files_before


def test_files_of_partitions_with_odd_names_are_counted(store: Store) -> None:
    lake = Lake.of(store)
    for value in (1, 2):
        frame = rows(value).assign(origin="a b/ä=%")
        replace_partition(
            lake, "silver/odd", frame, WriteInfo(RUN, "x"), column="origin", value="a b/ä=%"
        )

    done = core_maintain_table(store, "silver/odd", EVERYTHING)

    assert done.removed == 1
    assert lake.read("silver/odd")["hour"].tolist() == [2]


def test_the_log_of_a_released_version_is_not_left_to_the_library(store: Store) -> None:
    """A table of ours keeps its log from the beginning; another's does so after maintenance."""
    lake = Lake.of(store)
    write_deltalake(lake.uri("ops/foreign"), pa.table({"hour": [1]}))

    def is_kept(table: str) -> bool:
        properties = lake.open(table).metadata().configuration
        return properties.get("delta.enableExpiredLogCleanup") == "false"

    assert (is_kept(TABLE), is_kept("ops/foreign")) == (True, False)

    core_maintain_table(store, "ops/foreign", EVERYTHING)

    assert is_kept("ops/foreign")


@pytest.mark.parametrize(("released", "cleaned"), [(True, False), (False, True)])
def test_the_log_goes_back_to_the_oldest_released_version(
    store: Store, monkeypatch: pytest.MonkeyPatch, released: bool, cleaned: bool
) -> None:
    if released:
        store.pin("audit", _manifest_of_version(store, 0))
    lake = Lake.of(store)
    lake.open(TABLE).alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    put_table(store, TABLE, rows(5), ["hour"])
    time.sleep(1.1)  # the library compares whole seconds
    monkeypatch.setattr(maintenance, "LOG_RETENTION", timedelta(0))

    done = core_maintain_table(store, TABLE, Upkeep(remove=True, retention_hours=1))

    assert done.log_cleaned is cleaned
    versions = [commit.version for commit in history(lake.open(TABLE))]
    assert (0 in versions) is released
    assert lake.read(TABLE)["hour"].tolist() == [5]


def test_a_step_is_not_repeated_after_maintenance(store: Store) -> None:
    step = GoldStep(
        name="hours", tables={"w": ref_of(TABLE)}, sql="SELECT hour FROM w", key=("hour",)
    )
    core_make_gold(store, step, namespace=NAMESPACE)

    core_maintain_table(store, TABLE, EVERYTHING)
    core_maintain_table(store, "gold/hours", EVERYTHING)
    Lake.of(store).open("gold/hours").alter.set_table_properties({"delta.appendOnly": "false"})

    assert core_make_gold(store, step, namespace=NAMESPACE).outcome == "not_modified"


def test_nothing_goes_while_it_is_not_known_what_is_released(store: Store, tmp_path: Path) -> None:
    ref = store.ref(*ref_of(TABLE).split("/"))
    assert ref is not None
    name = ref.manifest.digest.removeprefix("sha256:")
    (found,) = (tmp_path / "store" / "manifests").rglob(f"{name}.json")
    found.chmod(0o644)
    found.write_bytes(b"{}")

    with pytest.raises(CorruptObjectError):
        core_maintain_table(store, TABLE, EVERYTHING)

    assert readable(store) == [0, 1, 2]


def test_a_table_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match="silver/planes"):
        core_maintain_table(store, "silver/planes", EVERYTHING)


def _manifest_of_version(store: Store, version: int) -> str:
    for descriptor, manifest in store.manifests():
        parameters = getattr(manifest, "parameters", {})
        if parameters.get("version") == version:
            return descriptor.digest
    raise LookupError(version)
