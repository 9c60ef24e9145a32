from collections.abc import Mapping
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, CorruptObjectError
from airnub_prefect_starter.core.derivation import Derivation, commit, read_inputs
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
)
from airnub_prefect_starter.core.releases.release import read_result
from airnub_prefect_starter.core.releases.reproduce import (
    Replay,
    Reproducer,
    compare_metrics,
    reproduce_data,
)
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import blob_key
from airnub_prefect_starter.core.tables import PARQUET, write_parquet
from tests.unit.core.feature_store.kit import prepared
from tests.unit.core.releases.kit import RUN, fetch, fill, join, release

JOINED = "preparation.join/joined"


@pytest.fixture
def work(tmp_path: Path) -> Store:
    return open_store((tmp_path / "work").as_uri(), durability="none")


def _joins(body: bytes = b"1,2\n", code: str = "c") -> Mapping[str, Replay]:
    return {"joined": lambda store, _: join(store, body, code)}


def _made(store: Store, work: Store, replays: Mapping[str, Replay]) -> Reproducer:
    fill(store)
    return reproduce_data(store, read_result(store, release(store)), work, replays)


def test_what_is_made_again_of_the_same_bytes_is_the_same(
    content_store: Store, work: Store
) -> None:
    fill(content_store)
    found = read_result(content_store, release(content_store))
    before = {stat.key: stat.size for stat in content_store.backend.list("")}
    made = reproduce_data(content_store, found, work, _joins())

    assert [(each.what, each.verdict) for each in made.compared] == [("joined.csv", "same")]
    assert made.other_code == []
    assert [f"{namespace}/{name}" for namespace, name, _ in work.refs()] == [
        "ingestion.files/orders",
        "ingestion.files/visits",
        JOINED,
    ]
    assert {stat.key: stat.size for stat in content_store.backend.list("")} == before


def test_other_bytes_are_told_and_so_is_other_code(content_store: Store, work: Store) -> None:
    made = _made(content_store, work, _joins(b"9\n", code="d"))

    assert [each.verdict for each in made.compared] == ["different"]
    assert made.other_code == [JOINED]


def test_each_step_sees_the_inputs_that_its_manifest_names(
    content_store: Store, work: Store
) -> None:
    fill(content_store)
    fetch(content_store, "visits", b"id\n1\n2\n")
    refs = {name: ref.manifest.digest for _, name, ref in content_store.refs()}
    seen: list[str] = []

    def replay(store: Store, _: DerivedManifest) -> DerivedResult:
        (visits,) = read_inputs(store, ["ingestion.files/visits"])
        seen.append(store.read_blob(visits.blob).decode())
        return join(store, b"1,2\n")

    maker = Reproducer(content_store, work, {"joined": replay})
    maker.make(refs["visits"])
    maker.make(refs["joined"])  # of the visits before those

    assert seen == ["id\n1\n"]


def _put_rows(store: Store, body: bytes) -> DerivedResult:
    blob, _ = store.put_bytes(body, media_type=PARQUET)
    derivation = Derivation("preparation.rows", "rows", (), {})
    return commit(store, derivation, [DerivedOutput(name="a.parquet", blob=blob)], run=RUN)


@pytest.mark.parametrize(
    ("again", "verdict"),
    [(prepared(1, 2).to_parquet(), "same rows"), (write_parquet(prepared(1, 3)), "different")],
)
def test_rows_decide_where_parquet_is_encoded_otherwise(
    content_store: Store, work: Store, again: bytes, verdict: str
) -> None:
    result = _put_rows(content_store, write_parquet(prepared(1, 2)))
    replays: Mapping[str, Replay] = {"rows": lambda s, _: _put_rows(s, again)}
    maker = Reproducer(content_store, work, replays)
    maker.make(result.manifest)

    assert [each.verdict for each in maker.compared] == [verdict]


def test_an_unknown_step_is_named(content_store: Store, work: Store) -> None:
    with pytest.raises(ConfigError, match=r"Nobody knows how preparation\.join/joined is made"):
        _made(content_store, work, {})


def test_raw_bytes_that_have_rotted_are_not_believed(content_store: Store, work: Store) -> None:
    fill(content_store)
    found = read_result(content_store, release(content_store))
    path = content_store.backend.local_path(blob_key(Digest.of(b"id\n1\n")))
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"id\n7\n")

    with pytest.raises(CorruptObjectError):
        reproduce_data(content_store, found, work, _joins())


@pytest.mark.parametrize(
    ("again", "verdict"),
    [
        ({"auc": 0.84}, "same"),
        ({"auc": 0.8415}, "within tolerance"),
        ({"auc": 0.85}, "different"),
        ({"brier": 0.1}, "missing"),
    ],
)
def test_metrics_are_compared_within_a_tolerance(again: dict[str, float], verdict: str) -> None:
    (found,) = compare_metrics("training", {"auc": 0.84}, again, 0.002)

    assert (found.what, found.released, found.verdict) == ("auc", "0.840000", verdict)
    assert found.matches == (verdict in ("same", "within tolerance"))
