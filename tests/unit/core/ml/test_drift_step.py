"""Drift of stored rows against those that the champion was trained on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.ml.drift import SCORE, DriftReport
from airnub_prefect_starter.core.ml.drift_step import PAGE, core_watch_drift, read_drift
from airnub_prefect_starter.core.ml.inference_markdown import drift_markdown
from airnub_prefect_starter.core.ml.inference_steps import DriftStep
from airnub_prefect_starter.core.ml.step import read_file
from airnub_prefect_starter.core.model_inference import load_model
from airnub_prefect_starter.core.store import Store, open_store
from tests.model_kit import (
    CATEGORICAL,
    FEATURES,
    MODEL,
    NUMERIC,
    prepared,
    put_champion,
    put_features,
    with_features,
)

SPACE = "inference.drift"
STEP = DriftStep(source_id="drift", model=MODEL, features=FEATURES)
FRAME = with_features(prepared(1600))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, FRAME)
    put_champion(store, FRAME)
    return store


def _watch(store: Store) -> DriftReport:
    return read_drift(store, core_watch_drift(store, STEP, namespace=SPACE))[0]


def test_the_rows_of_training_have_not_drifted(store: Store) -> None:
    first, second = (core_watch_drift(store, STEP, namespace=SPACE) for _ in range(2))
    report, plot = read_drift(store, first)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert {each.column for each in report.results} == {*NUMERIC, *CATEGORICAL, SCORE}
    assert {each.value for each in report.results if each.column != SCORE} == {0}
    assert report.health.status == "healthy"
    assert "16 checks found nothing" in drift_markdown("Title", report, plot)


def test_the_page_has_everything_in_it(store: Store) -> None:
    put_features(store, FRAME.assign(gender="<b>none</b>"))
    page = read_file(store, core_watch_drift(store, STEP, namespace=SPACE), PAGE).decode()

    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(", page)
    assert "<td>gender</td><td>unknown</td>" in page
    assert "<b>none" not in page


def test_scores_are_compared_with_those_of_rows_that_the_model_had_not_seen(store: Store) -> None:
    unseen = load_model(store, MODEL).probabilities(FRAME[::4])

    score = next(each for each in _watch(store).results if each.column == SCORE)

    assert f"mean {unseen.mean():,.4g} " in score.message


def test_a_batch_without_two_year_contracts_is_critical(store: Store) -> None:
    put_features(store, FRAME[FRAME["Contract"] != "Two year"])

    report, plot = read_drift(store, core_watch_drift(store, STEP, namespace=SPACE))
    worst = max(report.results, key=lambda each: each.value or 0)

    assert (worst.column, worst.level) == ("Contract", "critical")
    assert report.health.status == "critical"
    assert "PSI" in drift_markdown("Title", report, plot)
    assert plot.startswith(b"\x89PNG")


def test_scores_that_move_are_found_though_the_model_stays(store: Store) -> None:
    put_features(store, FRAME[FRAME["Churn"] == "Yes"])

    score = next(each for each in _watch(store).results if each.column == SCORE)

    assert score.level == "critical"


def test_the_reference_is_that_of_the_champion_and_not_the_newest(store: Store) -> None:
    other = FRAME[FRAME["Contract"] != "Two year"]
    put_features(store, other)
    before = _watch(store)
    put_champion(store, other)

    after = _watch(store)

    assert before.health.status == "critical"
    assert (after.version, after.health.status) == (2, "healthy")


def test_without_a_champion_there_is_no_reference(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, FRAME)

    with pytest.raises(ObjectNotFoundError, match="no champion"):
        core_watch_drift(store, STEP, namespace=SPACE)
