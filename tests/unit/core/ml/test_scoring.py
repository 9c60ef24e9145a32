"""Scores of a table: everybody once, by the champion, made again only if something changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core.churn.columns import KEY
from airnub_prefect_starter.core.derivation import read_inputs
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import parse_snapshot
from airnub_prefect_starter.core.lineage import render_trace, trace
from airnub_prefect_starter.core.manifest_models import DerivedInput, DerivedManifest
from airnub_prefect_starter.core.ml import scoring
from airnub_prefect_starter.core.ml.inference_steps import Band, ScoringStep
from airnub_prefect_starter.core.ml.scoring import core_score_table, read_scores, score_rows
from airnub_prefect_starter.core.model_inference import load_model
from airnub_prefect_starter.core.store import Store, open_store
from tests.model_kit import FEATURES, MODEL, prepared, put_champion, put_features, with_features

SPACE = "inference.batch_scoring"
STEP = ScoringStep(source_id="scores", model=MODEL, features=FEATURES, table="gold/churn_scores")
FRAME = with_features(prepared(400))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, FRAME)
    put_champion(store, FRAME)
    return store


def test_everybody_has_a_score_with_the_model_that_gave_it(store: Store) -> None:
    result = core_score_table(store, STEP, namespace=SPACE)
    scores = Lake.of(store).read("gold/churn_scores").sort_values(KEY, ignore_index=True)
    model = load_model(store, MODEL)

    assert result.rows is not None
    assert result.rows.reconciles()
    assert scores[KEY].tolist() == FRAME[KEY].tolist()
    assert np.allclose(scores["probability"], model.probabilities(FRAME), atol=1e-9)
    assert (scores["label"] == (model.probabilities(FRAME) >= 0.3)).all()
    assert set(scores["model_digest"]) == {model.version.model_file.digest}
    assert set(scores["features_version"]) == {0}


def test_what_did_not_change_is_not_scored_again(store: Store) -> None:
    first, second = (core_score_table(store, STEP, namespace=SPACE) for _ in range(2))
    put_features(store, FRAME.head(300))
    third = core_score_table(store, STEP, namespace=SPACE)
    put_champion(store, FRAME, numeric=("tenure",), categorical=("Contract",))
    fourth = core_score_table(store, STEP, namespace=SPACE)

    assert [each.outcome for each in (first, second, third, fourth)] == [
        "stored",
        "not_modified",
        "stored",
        "stored",
    ]
    assert len(Lake.of(store).read("gold/churn_scores")) == 300


def test_of_several_times_the_last_one_counts(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    times = [pd.Timestamp(2026, month, 1, tz="UTC").as_unit("us") for month in (1, 2)]
    old = FRAME.assign(event_timestamp=times[0], tenure=0)
    new = FRAME.head(100).assign(event_timestamp=times[1])
    put_features(store, FRAME)
    put_champion(store, FRAME)
    put_features(store, pd.concat([new, old], ignore_index=True))

    result = core_score_table(store, STEP, namespace=SPACE)

    assert result.rows is not None
    assert (result.rows.rows_in, result.rows.duplicates, result.rows.rows_out) == (500, 400, 100)


def test_a_score_leads_to_the_features_and_to_the_training(store: Store) -> None:
    core_score_table(store, STEP, namespace=SPACE)

    shown = render_trace(trace(store, f"{SPACE}/scores"))

    assert "transformation.feature_store/customer" in shown
    assert "model_building.training/candidates" in shown


def test_segments_begin_at_their_probability(store: Store) -> None:
    model = load_model(store, MODEL)
    bands = (Band(name="low", from_probability=0), Band(name="high", from_probability=0.4))

    found = score_rows(model, FRAME, bands)

    assert ((found["segment"] == "high") == (model.probabilities(FRAME) >= 0.4)).all()
    assert set(found["segment"]) == {"low", "high"}


def test_the_summary_counts_segments_and_names_the_most_at_risk(store: Store) -> None:
    result = core_score_table(store, STEP, namespace=SPACE)
    found = read_scores(store, result, STEP)
    risks = [probability for _, probability, _ in found.top]

    assert list(found.segments) == ["low", "medium", "high"]
    assert sum(found.segments.values()) == found.rows == 400
    assert len(risks) == 20
    assert risks == sorted(risks, reverse=True)
    assert risks[0] == pytest.approx(load_model(store, MODEL).probabilities(FRAME).max())


@pytest.mark.parametrize("starts", [(0.1, 0.5), (0, 0), (0, 0.6, 0.3), ()])
def test_segments_that_leave_a_gap_are_refused(starts: tuple[float, ...]) -> None:
    bands = [{"name": f"b{each}", "from_probability": each} for each in starts]

    with pytest.raises(ValueError, match="must begin at 0 and rise"):
        ScoringStep.model_validate(STEP.model_dump() | {"segments": bands})


def test_features_without_what_the_champion_needs_are_refused(store: Store) -> None:
    put_features(store, FRAME.drop(columns="charge_ratio"))

    with pytest.raises(PayloadError, match="lack the columns charge_ratio"):
        core_score_table(store, STEP, namespace=SPACE)


def test_a_table_without_rows_is_refused(store: Store) -> None:
    put_features(store, FRAME.head(0))

    with pytest.raises(PayloadError, match="features/customer has no row"):
        core_score_table(store, STEP, namespace=SPACE)


def test_features_that_come_meanwhile_wait_for_the_next_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, came = read_inputs, list[object]()

    def overtaken(*arguments: Any) -> tuple[DerivedInput, ...]:
        """Let other features come when the step has begun, once."""
        if not came:
            came.append(put_features(store, FRAME.head(100)))
        return look(*arguments)

    monkeypatch.setattr(scoring, "read_inputs", overtaken)
    result = core_score_table(store, STEP, namespace=SPACE)
    manifest = store.manifest(result.manifest)
    scores = Lake.of(store).read("gold/churn_scores")

    assert isinstance(manifest, DerivedManifest)
    assert set(scores["features_version"]) == {
        parse_snapshot(store, manifest.inputs[0].blob).version
    }


def test_without_a_champion_nothing_is_scored(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, FRAME)

    with pytest.raises(ObjectNotFoundError, match="no champion"):
        core_score_table(store, STEP, namespace=SPACE)
