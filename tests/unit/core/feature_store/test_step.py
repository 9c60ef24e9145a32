import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core import tables
from airnub_prefect_starter.core.feature_store import profile, registry, step, table
from airnub_prefect_starter.core.feature_store.config import FeatureStoreStep
from airnub_prefect_starter.core.feature_store.step import FEATURES, PROFILE, REGISTRY
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import read_snapshot
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.monitoring import profiles, statistics
from airnub_prefect_starter.core.monitoring.profiles import Profile
from airnub_prefect_starter.core.run_date import for_date
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.tables import read_parquet
from tests.unit.core.feature_store import kit
from tests.unit.core.feature_store.kit import NAMESPACE, STEP, TABLE, build, prepared, put_prepared


def _output(store: Store, result: DerivedResult, name: str) -> bytes:
    return store.read_blob(next(each.blob.digest for each in result.outputs if each.name == name))


def test_prepared_rows_become_a_table_once(content_store: Store) -> None:
    put_prepared(content_store, prepared(1, 8))
    first, second = build(content_store), build(content_store)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    lake = Lake.of(content_store)
    assert lake.open(TABLE).version() == 0
    names = {field.name for field in lake.open(TABLE).schema().fields}
    listed = json.loads(_output(content_store, first, REGISTRY))
    registered = {each["name"] for each in [*listed["features"], listed["label"]]}
    assert names == registered | {"visitor", "event_timestamp", "created_at", "feature_version"}
    rows = read_parquet(_output(content_store, first, FEATURES))
    assert set(rows.columns) == names - {"created_at"}
    assert rows["weekly"].tolist() == [0.25, 2.0]


def test_the_profile_has_every_feature_and_not_the_label(content_store: Store) -> None:
    put_prepared(content_store, prepared(1, 2, 8, 9))
    found = Profile.model_validate_json(_output(content_store, build(content_store), PROFILE))

    assert (found.table, found.reference) == (TABLE, "1.0")
    assert found.numbers["visits"].mean == 5
    assert dict(found.categories["plan"]) == {"free": 0.5, "paid": 0.5, "(others)": 0.0}
    assert set(found.columns) == {"visits", "weekly", "plan"}


def test_equal_rows_give_equal_digests_wherever_and_whenever(
    content_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = open_store(tmp_path_factory.mktemp("other").as_uri(), durability="none")
    put_prepared(content_store, prepared(1, 8))
    put_prepared(elsewhere, prepared(1, 8))
    here, there = build(content_store), build(elsewhere)

    assert here.table_digest == there.table_digest
    # The snapshot is the same too: a version, and rows without the time of their writing.
    assert here.outputs == there.outputs


def test_the_digest_is_that_of_the_steps_own_day(
    content_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = open_store(tmp_path_factory.mktemp("other").as_uri(), durability="none")
    put_prepared(content_store, prepared(1, 8))
    put_prepared(elsewhere, prepared(1, 8))
    tomorrow = STEP.model_copy(update={"event_date": "2026-01-02"})
    before = build(content_store)
    here, there = build(content_store, tomorrow), build(elsewhere, tomorrow)

    assert here.table_digest == there.table_digest != before.table_digest
    assert len(Lake.of(content_store).read(TABLE)) == 2 * len(Lake.of(elsewhere).read(TABLE))


def test_features_are_made_anew_where_any_of_their_code_has_changed(
    content_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_prepared(content_store, prepared(1, 8))
    other = tmp_path / "other.py"
    other.write_text("# corrected")

    for module in (step, profile, profiles, registry, statistics, table, tables, kit):
        build(content_store)
        with monkeypatch.context() as changed:
            changed.setattr(module, "__file__", str(other))
            assert build(content_store).outcome == "stored", module.__name__


def test_other_rows_make_a_new_version_and_the_ref_leads_to_it(content_store: Store) -> None:
    put_prepared(content_store, prepared(1, 8))
    before = build(content_store)
    put_prepared(content_store, prepared(1, 9))
    after = build(content_store)

    assert after.outcome == "stored"
    assert after.table_digest != before.table_digest
    assert read_snapshot(content_store, f"{NAMESPACE}/visitor").version == 1


def test_another_day_adds_its_rows(content_store: Store) -> None:
    put_prepared(content_store, prepared(1, 8))
    build(content_store)
    build(content_store, STEP.model_copy(update={"event_date": "2026-01-02"}))

    assert len(Lake.of(content_store).read(TABLE)) == 4


def test_doubled_rows_are_counted_and_stay_doubled_for_who_splits_them(
    content_store: Store,
) -> None:
    put_prepared(content_store, pd.concat([prepared(1, 8), prepared(1, 8)]))
    result = build(content_store)

    assert result.rows is not None
    assert (result.rows.rows_in, result.rows.rows_out, result.rows.duplicates) == (4, 2, 2)
    assert len(Lake.of(content_store).read(TABLE)) == 2
    assert len(read_parquet(_output(content_store, result, FEATURES))) == 4


def test_two_different_rows_of_one_key_are_refused(content_store: Store) -> None:
    put_prepared(content_store, pd.concat([prepared(1, 8), prepared(2)]))

    with pytest.raises(PayloadError, match="visitor 'v1' has two different rows"):
        build(content_store)
    assert Lake.of(content_store).tables() == []


def test_a_missing_input_or_output_is_named(content_store: Store) -> None:
    with pytest.raises(
        ObjectNotFoundError, match=r"preparation\.visits/prepared is not in the store"
    ):
        build(content_store)
    put_prepared(content_store, prepared(1))
    with pytest.raises(ObjectNotFoundError, match=r"has no output all\.parquet"):
        build(content_store, STEP.model_copy(update={"output": "all.parquet"}))


@pytest.mark.parametrize("date", ["yesterday", "2026-13-01", "{day}"])
def test_the_date_must_be_one(date: str) -> None:
    with pytest.raises(ValidationError, match="event_date"):
        FeatureStoreStep.model_validate({**STEP.model_dump(), "event_date": date})


def test_a_source_that_is_new_every_day_states_the_date_of_the_run() -> None:
    daily = FeatureStoreStep.model_validate({**STEP.model_dump(), "event_date": "{date}"})
    dated = for_date(daily, dt.date(2026, 1, 31))

    assert dated.event_timestamp == dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
