from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.core.ml.config import Threshold
from airnub_prefect_starter.core.ml.metrics import choose_threshold, decide, measure

# Ten rows: the four positives are first, third, fourth and last by probability.
SCORES = np.array([0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05])
TRUTH = np.array([1, 0, 1, 1, 0, 0, 0, 0, 0, 1], dtype=bool)
NO_SLICES = pd.DataFrame(index=range(10))


def test_counts_what_comes_of_a_threshold() -> None:
    found = decide(TRUTH, SCORES, 0.6)
    assert (found.true_positives, found.false_positives) == (3, 1)
    assert (found.false_negatives, found.true_negatives) == (1, 5)
    assert (found.accuracy, found.precision, found.recall, found.f1) == (0.8, 0.75, 0.75, 0.75)


def test_a_threshold_that_nothing_reaches_has_no_precision_and_divides_by_nothing() -> None:
    found = decide(TRUTH, SCORES, 0.99)
    assert (found.precision, found.recall, found.f1) == (0.0, 0.0, 0.0)


def test_measures_what_is_known_by_hand() -> None:
    found = measure(TRUTH, SCORES, 0.6, NO_SLICES)
    # Of 24 pairs of a positive and a negative, 6 + 5 + 5 + 0 are in the right order.
    assert found.auc == pytest.approx(16 / 24)
    assert found.lift_at_10 == pytest.approx(1 / 0.4)
    assert found.recall_at_20 == pytest.approx(1 / 4)
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4 + 4 / 10) / 4)
    assert found.brier == pytest.approx(float(np.mean((SCORES - TRUTH) ** 2)))
    assert [each.rows for each in found.calibration] == [1] * 10
    assert found.calibration[0].observed == 1.0


def test_the_best_threshold_depends_on_what_mistakes_cost() -> None:
    assert choose_threshold(TRUTH, SCORES, Threshold()) == pytest.approx(0.56)
    dear = Threshold(method="cost", cost_of_miss=100)
    assert choose_threshold(TRUTH, SCORES, dear) == pytest.approx(0.01)
    alarms = Threshold(method="cost", cost_of_miss=1, cost_of_false_alarm=100)
    assert choose_threshold(TRUTH, SCORES, alarms) == pytest.approx(0.86)


def test_slices_that_are_too_small_are_not_judged() -> None:
    many = np.tile(TRUTH, 6), np.tile(SCORES, 6)
    columns = pd.DataFrame({"senior": [0] * 50 + [1] * 10})
    large, small = measure(*many, 0.5, columns).slices
    assert (large.value, large.rows) == ("0", 50)
    assert large.auc == pytest.approx(16 / 24)
    assert (small.value, small.rows, small.auc) == ("1", 10, None)
