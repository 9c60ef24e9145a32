import datetime as dt

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import (
    PayloadError,
    TableSchemaError,
    UnknownNameError,
)
from airnub_prefect_starter.core.feature_store.registry import EVENT_TIMESTAMP
from airnub_prefect_starter.core.feature_store.table import (
    feature_rows,
    features_for,
    get_features,
    write_features,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import MergeCounts, WriteInfo
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store
from tests.unit.core.feature_store.kit import STEP, TABLE, compute, feature, prepared

REGISTRY = STEP.registry
INFO = WriteInfo(RunInfo(), "none")


def _day(day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2026, 1, day, hour, tzinfo=dt.UTC)


def _write(store: Store, day: int, frame: pd.DataFrame, written: int = 31) -> MergeCounts:
    rows = feature_rows(compute(frame), REGISTRY, _day(day))
    return write_features(Lake.of(store), TABLE, rows, REGISTRY, INFO, created_at=_day(written))


@pytest.fixture
def lake(content_store: Store) -> Lake:
    """Give visitors 1 and 2 on the 1st, visitor 1 anew on the 10th, visitor 3 on the 20th."""
    _write(content_store, 1, prepared(1, 2))
    _write(content_store, 10, prepared(6))
    _write(content_store, 20, prepared(9, first=3))
    return Lake.of(content_store)


def test_writing_again_updates_and_what_is_gone_is_deleted_at_that_time_alone(
    content_store: Store,
) -> None:
    assert _write(content_store, 1, prepared(1, 2, 3)) == MergeCounts(3, 0, 0, 0)
    _write(content_store, 2, prepared(4, 4, 4))
    again = _write(content_store, 1, prepared(7, 8), written=30)

    assert (again.inserted, again.updated, again.deleted) == (0, 2, 1)
    found = Lake.of(content_store).read(TABLE).sort_values([EVENT_TIMESTAMP, "visitor"])
    assert found["visits"].tolist() == [7, 8, 4, 4, 4]
    assert [each.day for each in found["created_at"]] == [30, 30, 31, 31, 31]


def test_columns_are_typed_and_ordered_by_key_whatever_came(content_store: Store) -> None:
    shuffled = compute(prepared(1, 2)).iloc[::-1][["weekly", "bought", "visitor", "plan", "visits"]]
    rows = feature_rows(shuffled, REGISTRY, _day(1))
    names = ["visitor", "event_timestamp", "feature_version", "visits", "weekly", "plan", "bought"]

    assert [*rows.columns] == names
    assert rows["visitor"].tolist() == ["v1", "v2"]
    assert [str(each) for each in rows.dtypes][3:] == ["int64", "float64", "str", "bool"]
    assert [*rows["feature_version"]] == ["1.0", "1.0"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (prepared(1), "not computed: weekly"),
        (compute(prepared(1)).assign(shoe=43), "not in the registry: shoe"),
    ],
)
def test_registry_and_columns_must_be_the_same(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableSchemaError, match=message):
        feature_rows(frame, REGISTRY, _day(1))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("weekly", [float("inf"), 1.0], "'weekly' is not a finite number"),
        ("weekly", [None, 1.0], "'weekly' is missing in 1 rows"),
        ("visits", ["many", "1"], "'visits' is no int"),
        ("visits", [1.5, 2.0], "'visits' is no int in every row"),
        ("bought", ["False", "True"], "'bought' is no bool in every row"),
        ("visitor", [None, "v2"], "'visitor' is missing"),
    ],
)
def test_no_feature_is_missing_or_of_another_type(
    column: str, values: list[object], message: str
) -> None:
    frame = compute(prepared(1, 2))
    frame[column] = pd.Series(values, dtype=object)

    with pytest.raises(PayloadError, match=message):
        feature_rows(frame, REGISTRY, _day(1))


def test_there_must_be_rows() -> None:
    with pytest.raises(PayloadError, match="no rows"):
        feature_rows(compute(prepared(1)).iloc[:0], REGISTRY, _day(1))


def test_a_table_with_a_column_that_the_registry_lost_is_refused(lake: Lake) -> None:
    registry = REGISTRY.model_copy(update={"features": REGISTRY.features[:2]})
    rows = feature_rows(compute(prepared(1)).drop(columns="plan"), registry, _day(1))

    with pytest.raises(TableSchemaError, match="not in the registry: plan") as caught:
        write_features(lake, TABLE, rows, registry, INFO, created_at=_day(31))
    assert "give `table` another name" in caught.value.remedy


def test_a_new_feature_is_missing_in_older_rows(lake: Lake) -> None:
    registry = REGISTRY.model_copy(
        update={"features": (*REGISTRY.features, feature("clicks", "int"))}
    )
    rows = feature_rows(compute(prepared(3)).assign(clicks=5), registry, _day(25))
    write_features(lake, TABLE, rows, registry, INFO, created_at=_day(31))

    found = get_features(lake, TABLE, registry, ["clicks"], as_of=_day(31))
    assert found.set_index("visitor")["clicks"].fillna(0).to_dict() == {"v1": 5, "v2": 0, "v3": 0}


@pytest.mark.parametrize(
    ("as_of", "visits"),
    [
        (_day(1) - dt.timedelta(seconds=1), {}),
        (_day(1), {"v1": 1, "v2": 2}),
        (_day(9, 23), {"v1": 1, "v2": 2}),
        (_day(10), {"v1": 6, "v2": 2}),
        (None, {"v1": 6, "v2": 2, "v3": 9}),
    ],
)
def test_features_are_those_known_at_the_time(
    lake: Lake, as_of: dt.datetime | None, visits: dict[str, int]
) -> None:
    found = get_features(lake, TABLE, REGISTRY, ["visits"], as_of=as_of)

    assert [*found.columns] == ["visitor", EVENT_TIMESTAMP, "visits"]
    assert dict(zip(found["visitor"], found["visits"], strict=True)) == visits


def test_without_names_all_features_are_given_and_not_the_label(lake: Lake) -> None:
    found = get_features(lake, TABLE, REGISTRY, [])

    assert [*found.columns] == ["visitor", EVENT_TIMESTAMP, "visits", "weekly", "plan"]
    with pytest.raises(UnknownNameError):
        get_features(lake, TABLE, REGISTRY, ["bought"])


def _labels(*rows: tuple[str, dt.datetime]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["visitor", EVENT_TIMESTAMP])
    return frame.assign(left=range(len(rows)))


def test_labels_get_no_feature_of_the_future(lake: Lake) -> None:
    labels = _labels(
        ("v1", _day(15)),
        ("v1", _day(9, 23)),
        ("v3", _day(19, 23)),
        ("v2", _day(1)),
        ("v9", _day(9)),
    )
    found = features_for(lake, TABLE, REGISTRY, ["visits"], labels=labels)

    assert found["left"].tolist() == [0, 1, 2, 3, 4]
    assert found["visits"].fillna(-1).tolist() == [6, 1, -1, 2, -1]


def test_features_that_are_too_old_are_unknown(lake: Lake) -> None:
    labels = _labels(("v1", _day(15)), ("v2", _day(15)))
    found = features_for(
        lake, TABLE, REGISTRY, ["visits"], labels=labels, tolerance=dt.timedelta(days=5)
    )

    assert found["visits"].fillna(-1).tolist() == [6, -1]


@pytest.mark.parametrize(
    "labels",
    [
        pd.DataFrame({"visitor": ["v1"]}),
        pd.DataFrame({"visitor": ["v1"], EVENT_TIMESTAMP: ["2026-01-01T00:00:00Z"]}),
        pd.DataFrame({"visitor": ["v1"], EVENT_TIMESTAMP: [pd.Timestamp("2026-01-01")]}),
        _labels(("v1", _day(1))).drop(columns="visitor"),
    ],
)
def test_labels_without_a_time_are_refused(lake: Lake, labels: pd.DataFrame) -> None:
    with pytest.raises(PayloadError, match="Labels need visitor and event_timestamp"):
        features_for(lake, TABLE, REGISTRY, [], labels=labels)


def test_labels_that_cannot_be_joined_are_refused(lake: Lake) -> None:
    labels = _labels(("v1", _day(1)), ("v2", _day(2)))
    timeless = labels.copy()
    timeless.loc[1, EVENT_TIMESTAMP] = pd.NaT

    with pytest.raises(PayloadError, match="A label has no event_timestamp"):
        features_for(lake, TABLE, REGISTRY, [], labels=timeless)
    with pytest.raises(PayloadError, match="Labels have features already: visits"):
        features_for(lake, TABLE, REGISTRY, ["visits"], labels=labels.assign(visits=1))
