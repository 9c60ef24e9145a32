from __future__ import annotations

from itertools import permutations

import pandas as pd
import pytest

from airnub_prefect_starter.core.ml.config import CandidateKind
from airnub_prefect_starter.core.ml.training import Training, choose, train
from tests.ml_kit import BOOSTING, DUMMY, LOGISTIC, SPEC, customers, spec


@pytest.fixture(scope="module")
def trained() -> Training:
    return train(customers(), SPEC)


def test_a_model_that_learned_something_passes_every_gate(trained: Training) -> None:
    found = trained.evaluation
    assert (found.winner, found.missed) == ("logistic", ())
    assert (found.rows, found.train_rows, len(trained.scores)) == (600, 480, 120)
    assert found.categories == {"contract": ("monthly", "yearly")}
    assert next(iter(found.importance)) in {"months", "contract"}
    dummy = next(each for each in found.candidates if each.kind == "dummy")
    assert (dummy.cv_auc, dummy.test.auc) == (0.5, 0.5)


def test_another_order_of_rows_gives_the_same_model(trained: Training) -> None:
    shuffled = train(customers().sample(frac=1, random_state=5), SPEC)
    assert shuffled.evaluation == trained.evaluation
    assert shuffled.model_file == trained.model_file


def test_rows_without_a_signal_miss_the_gates_of_quality() -> None:
    found = train(customers(signal=0), SPEC).evaluation
    assert {each.name for each in found.missed} >= {"auc", "gain_over_dummy"}


def test_a_doubled_table_is_seen_for_what_it_is(trained: Training) -> None:
    found = train(pd.concat([customers(), customers()]), SPEC).evaluation
    assert {"key_overlap", "row_overlap"} <= {each.name for each in found.missed}
    assert found.overlap.row_share > 0.7


def test_a_feature_that_holds_the_answer_is_too_good_to_be_true() -> None:
    told = customers().assign(charges=lambda frame: (frame["left"] == "Yes") * 100.0)
    found = train(told, SPEC).evaluation
    assert "too_good" in {each.name for each in found.missed}


def test_of_models_that_are_as_good_the_simpler_one_is_chosen() -> None:
    with_trees = spec(candidates=(DUMMY, BOOSTING, LOGISTIC), gates={"min_gain": 0.5})
    assert train(customers(300), with_trees).evaluation.winner == "dummy"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_candidates_does_not_choose(
    trained: Training, order: tuple[int, int, int]
) -> None:
    stated: list[tuple[CandidateKind, float]] = [
        ("random_forest", 0.85),
        ("hist_gradient_boosting", 0.8485),
        ("logistic_regression", 0.847),
    ]
    results = [
        trained.evaluation.best.model_copy(update={"kind": stated[at][0], "cv_auc": stated[at][1]})
        for at in order
    ]
    assert choose(results, 0.002).kind == "hist_gradient_boosting"
    assert choose(results, 0.004).kind == "logistic_regression"
    assert choose(results, 0).kind == "random_forest"


def test_the_threshold_is_not_chosen_on_the_rows_held_out(trained: Training) -> None:
    changed = customers()
    test_keys = set(trained.scores["customer"])
    flipped = changed["customer"].isin(test_keys)
    changed.loc[flipped, "charges"] = 0.0
    found = train(changed, SPEC)
    again = found.evaluation
    assert set(found.scores["customer"]) == test_keys
    assert again.best.test.at_threshold.threshold == (
        trained.evaluation.best.test.at_threshold.threshold
    )
    assert again.best.test.brier != trained.evaluation.best.test.brier
