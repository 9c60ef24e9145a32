"""Intervals of areas under curves: against brute force, and against how areas really vary."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.ml.delong import (
    Flags,
    Floats,
    auc_difference,
    auc_interval,
    placements,
)


def _sample(seed: int, rows: int = 400, gain: float = 1.0) -> tuple[Flags, Floats]:
    random = np.random.default_rng(seed)
    labels = random.random(rows) < 0.3
    # Rounded, so that there are ties
    return labels, np.round(random.normal(0, 1, rows) + gain * labels, 1).astype(np.float64)


def test_the_area_is_that_of_the_library_also_with_ties() -> None:
    labels, scores = _sample(1)

    assert placements(labels, scores).auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_the_variance_is_that_of_every_pair_counted() -> None:
    labels, scores = _sample(2, rows=60)
    above, below = scores[labels][:, None], scores[~labels][None, :]
    wins = (above > below) + 0.5 * (above == below)
    expected = (
        wins.mean(axis=1).var(ddof=1) / len(above)
        + wins.mean(axis=0).var(ddof=1) / (below.shape[1])
    )

    assert placements(labels, scores).variance == pytest.approx(expected, abs=1e-12)


def test_the_interval_holds_the_true_area_19_times_out_of_20() -> None:
    truth = placements(*_sample(3, rows=200_000)).auc
    found = [auc_interval(placements(*_sample(seed))) for seed in range(100, 400)]
    held = sum(each.low <= truth <= each.high for each in found)

    assert 0.92 <= held / 300 <= 0.98


def test_a_pair_of_equal_models_differs_by_nothing() -> None:
    placed = placements(*_sample(4))
    found = auc_interval(placed.minus(placed))

    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_the_pair_is_narrower_than_two_samples() -> None:
    labels, scores = _sample(5)
    near = scores + np.random.default_rng(6).normal(0, 0.2, len(scores))
    first, second = placements(labels, scores), placements(labels, near)
    paired, apart = auc_interval(first.minus(second)), auc_difference(first, second)

    assert paired.value == pytest.approx(apart.value)
    assert 3 * (paired.high - paired.low) < apart.high - apart.low


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_one_row_of_a_class_gives_no_interval(positives: int) -> None:
    labels = np.arange(10) < positives

    with pytest.raises(PayloadError, match="give no interval"):
        placements(labels, np.arange(10.0))


def test_no_area_is_greater_than_one() -> None:
    labels = np.array([True, True, True, False, False, False])
    found = auc_interval(placements(labels, np.array([0.9, 0.8, 0.4, 0.5, 0.2, 0.1])))

    assert found.value == pytest.approx(8 / 9)
    assert found.high == 1
