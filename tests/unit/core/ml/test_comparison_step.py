"""Champion against challenger on stored rows that neither was trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.churn.columns import KEY
from airnub_prefect_starter.core.ml.comparison_step import (
    core_compare_models,
    read_comparison,
)
from airnub_prefect_starter.core.ml.inference_markdown import comparison_markdown
from airnub_prefect_starter.core.ml.inference_steps import ComparisonStep
from airnub_prefect_starter.core.ml.lineage import unseen_by
from airnub_prefect_starter.core.store import Store, open_store
from tests.model_kit import FEATURES, MODEL, prepared, put_champion, put_features, with_features

SPACE = "inference.ab_comparison"
STEP = ComparisonStep(
    source_id="comparison", model=MODEL, features=FEATURES, experiment="spring", resamples=100
)
FRAME = with_features(prepared(1600))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, FRAME)
    put_champion(store, FRAME, numeric=("TotalCharges",), categorical=("gender",))
    return store


def test_without_a_challenger_the_report_says_so(store: Store) -> None:
    first, second = (core_compare_models(store, STEP, namespace=SPACE) for _ in range(2))
    report = read_comparison(store, first)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert report.summary == "Version 1 of customer_churn has no challenger"
    assert report.summary.replace("_", "\\_") in comparison_markdown("Title", report)


def test_rows_of_training_do_not_count(store: Store) -> None:
    champion = put_champion(store, FRAME)
    put_features(store, with_features(prepared(1700)))
    newcomers = with_features(prepared(1700))[KEY]

    unseen = unseen_by(store, champion, newcomers)

    held_out = set(FRAME[KEY][::4])
    assert set(newcomers[unseen]) == held_out | (set(newcomers) - set(FRAME[KEY]))


def test_a_better_model_is_found_out(store: Store) -> None:
    put_champion(store, FRAME)  # the poor one is the challenger now

    report = read_comparison(store, core_compare_models(store, STEP, namespace=SPACE))

    assert report.comparison is not None
    assert (report.champion, report.challenger) == (2, 1)
    assert report.comparison.rows == 400
    assert report.comparison.verdict == "champion is better"
    assert report.comparison.auc_paired.high < 0
    shown = comparison_markdown("Title", report)
    assert "**Keep the champion. On 400 rows" in shown
    assert "| champion | 2 | " in shown


def test_another_experiment_is_another_comparison(store: Store) -> None:
    put_champion(store, FRAME)
    other = STEP.model_copy(update={"experiment": "summer"})

    first, second = (
        read_comparison(store, core_compare_models(store, each, namespace=SPACE)).comparison
        for each in (STEP, other)
    )

    assert first is not None
    assert second is not None
    assert first.champion.auc != second.champion.auc
    assert first.auc_paired == second.auc_paired


def test_without_a_champion_there_is_nothing_to_compare(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")

    with pytest.raises(ObjectNotFoundError, match="no champion"):
        core_compare_models(store, STEP, namespace=SPACE)
