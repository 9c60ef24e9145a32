"""From stored articles to a table with its encoders, and back to the bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core.derivation import REJECTED
from airnub_prefect_starter.core.features.articles import FeatureModel
from airnub_prefect_starter.core.features.markdown import features_markdown
from airnub_prefect_starter.core.features.step import (
    ENCODERS,
    METADATA,
    core_make_features,
    read_metadata,
)
from airnub_prefect_starter.core.features.steps import FeatureStep, TermOptions
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import read_snapshot
from airnub_prefect_starter.core.manifest_models import DerivedManifest, DerivedResult, Source
from airnub_prefect_starter.core.store import FetchCommit, Store, open_store
from airnub_prefect_starter.demo.articles import articles_csv

REF = "ml.features/features.articles"
STEP = FeatureStep(source_id="features.articles", inputs=("files/articles",))


def _store(folder: Path, body: bytes) -> Store:
    store = open_store(folder.as_uri(), durability="none")
    with store.spool() as spool:
        spool.write(body)
        url = "http://sources.example/articles.csv"
        store.commit_fetch(
            FetchCommit(
                namespace="files",
                source_id="articles",
                source=Source(url=url, final_url=url),
                spool=spool,
            )
        )
    return store


def _make(store: Store, step: FeatureStep = STEP) -> DerivedResult:
    return core_make_features(store, step, namespace="ml.features")


def test_one_manifest_has_the_table_and_all_that_explains_it(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", articles_csv())

    result = _make(store)

    names = [output.name for output in result.outputs]
    assert names == [
        "features.articles.json",
        ENCODERS,
        METADATA,
        "engagement_by_hour.png",
        "heaviest_terms.png",
    ]
    snapshot = read_snapshot(store, REF)
    assert (snapshot.table, snapshot.rows) == ("features/articles", 1000)
    assert snapshot.digest == result.table_digest
    manifest = store.manifest(result.manifest)
    assert isinstance(manifest, DerivedManifest)
    assert [(each.namespace, each.source_id) for each in manifest.inputs] == [("files", "articles")]
    metadata, plots = read_metadata(store, result)
    assert metadata.table_digest == result.table_digest
    shown = features_markdown("Features", metadata, plots)
    assert all(f"## {group}" in shown for group in ("Text", "Temporal", "Engagement", "Tfidf"))
    assert shown.count("data:image/png") == 2


def test_twice_is_once_and_other_options_are_another_table(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", articles_csv())
    first, second = _make(store), _make(store)
    fewer = STEP.model_copy(update={"terms": TermOptions(max_terms=10)})

    third = _make(store, fewer)

    assert second.outcome == "not_modified"
    assert second.manifest == first.manifest
    assert third.table_digest != first.table_digest
    assert len(Lake.of(store).open("features/articles").history()) == 2


def test_equal_articles_have_equal_tables_and_encoders_in_any_store(tmp_path: Path) -> None:
    results = [_make(_store(tmp_path / name, articles_csv())) for name in ("one", "two")]

    assert results[0].table_digest == results[1].table_digest
    digests = [
        [output.blob.digest for output in result.outputs if output.name != METADATA]
        for result in results
    ]
    assert digests[0] == digests[1]


def test_a_table_that_was_lost_is_made_again(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", articles_csv())
    first = _make(store)
    log = tmp_path / "store" / "tables" / "features" / "articles"
    log.rename(tmp_path / "gone")

    again = _make(store)

    assert Lake.of(store).tables() == ["features/articles"]
    assert again.table_digest == first.table_digest


def test_some_bad_rows_are_kept_aside_with_the_reason(tmp_path: Path) -> None:
    lines = articles_csv().splitlines(keepends=True)
    lines[5] = lines[5].replace(b"Z,", b"Z,-", 1)  # fewer than no views
    lines.append(lines[1])
    store = _store(tmp_path / "store", b"".join(lines))

    result = _make(store)

    assert result.rows is not None
    assert (result.rows.rejected, result.rows.duplicates, result.rows.rows_out) == (1, 1, 999)
    assert REJECTED in [output.name for output in result.outputs]
    encoders = next(each for each in result.outputs if each.name == ENCODERS)
    assert FeatureModel.from_json(store.read_blob(encoders.blob.digest)).trained_rows == 799


def test_mostly_bad_rows_fail_and_leave_the_table_as_it_was(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", articles_csv())
    first = _make(store)
    other = _store(tmp_path / "store", articles_csv().replace(b"Z,", b"Z,-"))

    with pytest.raises(PayloadError, match="rows are rejected"):
        _make(other)

    assert read_snapshot(store, REF).digest == first.table_digest


def test_a_stricter_limit_counts_for_the_table_that_is_there(tmp_path: Path) -> None:
    lines = articles_csv().splitlines(keepends=True)
    lines[5] = lines[5].replace(b"Z,", b"Z,-", 1)
    store = _store(tmp_path / "store", b"".join(lines))
    _make(store)

    with pytest.raises(PayloadError, match="1 of 1000 rows are rejected"):
        _make(store, STEP.model_copy(update={"max_rejected_percent": 0}))


def test_articles_that_are_not_there_are_named(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri(), durability="none")

    with pytest.raises(ObjectNotFoundError, match="files/articles"):
        _make(store)


def test_encoders_are_json_that_people_can_read(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", articles_csv())
    encoders = next(each for each in _make(store).outputs if each.name == ENCODERS)

    found = json.loads(store.read_blob(encoders.blob.digest))

    assert len(found["tfidf"]["terms"]) == len(found["tfidf"]["idf"]) == 100
    assert len(found["scaler"]["columns"]) == len(found["scaler"]["scale"])
    assert "publish_quarter" in found["dropped"]
