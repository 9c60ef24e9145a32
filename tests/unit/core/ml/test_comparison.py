"""A/B comparison: who is in which arm, and what the numbers decide."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from airnub_prefect_starter.core.ml.comparison import (
    Scored,
    brier,
    compare,
    in_challenger,
    recall_at_top,
)

IDS = tuple(f"{number:04d}-ABCDE" for number in range(4000))


def _scored(champion: float, challenger: float) -> Scored:
    """Make rows of which the models see the label through noise, the less the greater the gain."""
    random = np.random.default_rng(1)
    labels = random.random(len(IDS)) < 0.27
    noise = random.normal(0, 1, len(IDS))

    def scores(gain: float) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(1 - noise - gain * labels)))

    return Scored(IDS, labels, scores(champion), scores(challenger))


def test_the_split_is_by_experiment_and_id_alone() -> None:
    first = in_challenger(IDS, "spring", 0.5)

    assert in_challenger(reversed(IDS), "spring", 0.5)[::-1].tolist() == first.tolist()
    assert in_challenger(IDS[:100], "spring", 0.5).tolist() == first[:100].tolist()
    assert 0.4 < np.mean(first == in_challenger(IDS, "summer", 0.5)) < 0.6


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_challenger_gets_its_share_and_a_greater_one_moves_nobody_back(share: float) -> None:
    found = in_challenger(IDS, "spring", share)

    assert np.mean(found) == pytest.approx(share, abs=0.02)
    assert np.all(in_challenger(IDS, "spring", share + 0.05)[found])


def test_a_place_is_the_beginning_of_the_digest() -> None:
    place = int(hashlib.sha256(b"spring\x000000-ABCDE").hexdigest()[:16], 16) / 2**64

    assert in_challenger(IDS[:1], "spring", place + 1e-9)[0]
    assert not in_challenger(IDS[:1], "spring", place - 1e-9)[0]


@pytest.mark.parametrize(
    ("champion", "challenger", "verdict", "advice"),
    [
        (1.0, 1.3, "challenger is better", "Promote the challenger"),
        (1.3, 1.0, "champion is better", "Keep the champion. "),
        (1.0, 1.0, "no difference found", "Keep the champion: the interval holds zero"),
    ],
)
def test_the_paired_interval_decides(
    champion: float, challenger: float, verdict: str, advice: str
) -> None:
    found = compare(
        _scored(champion, challenger), versions=(1, 2), experiment="spring", resamples=100
    )

    assert found.verdict == verdict
    assert found.decision.startswith(advice)
    assert found.champion.rows + found.challenger.rows == found.rows == len(IDS)
    assert found.champion.auc.low < found.champion.auc.value < found.champion.auc.high


def test_equal_input_gives_an_equal_comparison() -> None:
    first, second = (
        compare(_scored(1.0, 1.2), versions=(1, 2), experiment="spring", resamples=100)
        for _ in range(2)
    )

    assert first.model_dump_json() == second.model_dump_json()


def test_brier_and_recall_are_those_of_their_definitions() -> None:
    labels = np.array([True, False, True, False, False])
    scores = np.array([0.9, 0.8, 0.3, 0.1, 0.0])

    assert brier(labels, scores) == pytest.approx((0.01 + 0.64 + 0.49 + 0.01) / 5)
    assert recall_at_top(labels, scores) == 0.5
