"""Champion against challenger on the same people: an A/B split by id, and all of them paired.

The split is what a live experiment would do: each id sees one model. Off line both models score
every row, so the paired difference, whose interval is several times narrower, makes the decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.ml.delong import (
    Flags,
    Floats,
    Interval,
    auc_difference,
    auc_interval,
    placements,
)

Verdict = Literal["challenger is better", "champion is better", "no difference found"]
Measure = Callable[[Flags, Floats], float]
CHAMPION, CHALLENGER = "champion", "challenger"
_TOP_SHARE = 0.2
_SEED = 42


class Arm(ConfigModel):
    """What one model came to on the ids that are its own."""

    name: str
    version: int
    rows: int
    positives: int
    auc: Interval
    brier: Interval
    recall_at_20_percent: Interval


class Comparison(ConfigModel):
    """Two models, compared; a positive difference means that the challenger's number is greater."""

    experiment: str
    rows: int
    champion: Arm
    challenger: Arm
    auc_between_arms: Interval
    brier_between_arms: Interval
    auc_paired: Interval
    verdict: Verdict
    decision: str


@dataclass(frozen=True)
class Scored:
    """Rows that both models have scored: ids, labels and a probability by each."""

    ids: tuple[str, ...]
    labels: Flags
    champion: Floats
    challenger: Floats


def in_challenger(ids: Iterable[str], experiment: str, share: float) -> Flags:
    """Tell of each id whether it sees the challenger; the same in every process and for ever.

    An id's place is the SHA-256 of experiment and id, so another experiment splits anew and more
    ids do not move those that are there.

    Args:
        ids: Of people.
        experiment: Salt of the split.
        share: Of ids that see the challenger, 0 to 1.
    """
    places = (
        int.from_bytes(hashlib.sha256(f"{experiment}\0{each}".encode()).digest()[:8], "big")
        for each in ids
    )
    return np.fromiter((place < share * 2**64 for place in places), dtype=np.bool_)


def compare(
    scored: Scored,
    *,
    versions: tuple[int, int],
    experiment: str,
    share: float = 0.5,
    resamples: int = 1000,
) -> Comparison:
    """Compare two models by arms and in pairs.

    Args:
        scored: Rows that neither model was trained on.
        versions: Of champion and challenger.
        experiment: Salt of the split.
        share: Of ids that see the challenger.
        resamples: Of the bootstrap, for what has no formula.

    Raises:
        PayloadError: An arm has fewer than two rows of a class. No retry.
    """
    treated = in_challenger(scored.ids, experiment, share)
    first = _Sample(scored.labels[~treated], scored.champion[~treated], seed=_SEED)
    second = _Sample(scored.labels[treated], scored.challenger[treated], seed=_SEED + 1)
    paired = auc_interval(
        placements(scored.labels, scored.challenger).minus(
            placements(scored.labels, scored.champion)
        )
    )
    between = auc_difference(second.placed, first.placed)
    verdict = _verdict(paired)
    return Comparison(
        experiment=experiment,
        rows=len(scored.ids),
        champion=first.arm(CHAMPION, versions[0], resamples),
        challenger=second.arm(CHALLENGER, versions[1], resamples),
        auc_between_arms=between,
        brier_between_arms=_bootstrap_difference(second, first, resamples),
        auc_paired=paired,
        verdict=verdict,
        decision=_decision(verdict, paired, between, len(scored.ids)),
    )


class _Sample:
    """The rows of one arm, with what is computed of them once."""

    def __init__(self, labels: Flags, scores: Floats, *, seed: int) -> None:
        self.labels, self.scores, self._seed = labels, scores, seed
        self.placed = placements(labels, scores)

    def arm(self, name: str, version: int, resamples: int) -> Arm:
        return Arm(
            name=name,
            version=version,
            rows=len(self.labels),
            positives=int(self.labels.sum()),
            auc=auc_interval(self.placed),
            brier=self._interval(brier, resamples),
            recall_at_20_percent=self._interval(recall_at_top, resamples),
        )

    def resampled(self, measure: Measure, resamples: int) -> Floats:
        """Measure rows drawn with replacement; the seed makes the draws those of every run."""
        random = np.random.default_rng(self._seed)
        size = len(self.labels)
        draws = (random.integers(0, size, size) for _ in range(resamples))
        found: Floats = np.asarray([measure(self.labels[at], self.scores[at]) for at in draws])
        return found

    def _interval(self, measure: Measure, resamples: int) -> Interval:
        value = measure(self.labels, self.scores)
        return _percentiles(value, self.resampled(measure, resamples))


def brier(labels: Flags, scores: Floats) -> float:
    """Give the mean squared difference of probability and outcome; 0 is perfect."""
    return float(np.mean((scores - labels) ** 2))


def recall_at_top(labels: Flags, scores: Floats) -> float:
    """Give the share of positives among the 20 % of rows with the highest scores."""
    count = max(1, round(_TOP_SHARE * len(scores)))
    top = np.argsort(-scores, kind="stable")[:count]
    return float(labels[top].sum() / max(1, labels.sum()))


def _bootstrap_difference(first: _Sample, second: _Sample, resamples: int) -> Interval:
    value = brier(first.labels, first.scores) - brier(second.labels, second.scores)
    drawn = first.resampled(brier, resamples) - second.resampled(brier, resamples)
    return _percentiles(value, drawn)


def _percentiles(value: float, drawn: Floats) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))


def _verdict(paired: Interval) -> Verdict:
    if paired.low > 0:
        return "challenger is better"
    return "champion is better" if paired.high < 0 else "no difference found"


def _decision(verdict: Verdict, paired: Interval, between: Interval, rows: int) -> str:
    advice = {
        "challenger is better": "Promote the challenger",
        "champion is better": "Keep the champion",
        "no difference found": "Keep the champion: the interval holds zero",
    }[verdict]
    half = (between.high - between.low) / 2
    return (
        f"{advice}. On {rows:,} rows the challenger's AUC differs by {paired.value:+.4f} "
        f"(95 % from {paired.low:+.4f} to {paired.high:+.4f}); by the arms alone a difference "
        f"below {half:.3f} stays unseen."
    )
