"""How good probabilities are; every number is rounded to 12 significant digits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from airnub_prefect_starter.core.features.rounding import significant
from airnub_prefect_starter.core.ml.config import Threshold
from airnub_prefect_starter.core.ml.evaluation import (
    CalibrationBin,
    Decisions,
    Metrics,
    SliceMetrics,
)
from airnub_prefect_starter.core.ml.rows import Flags, Floats

HALF = 0.5
LEAST_OF_A_SLICE = 20
"""An AUC of fewer positives or negatives than that says more about chance than about a model."""
_THRESHOLDS = np.arange(1, 100) / 100
_BINS = 10


def auc(truth: Flags, scores: Floats) -> float:
    """Give the area under the ROC curve."""
    return significant(roc_auc_score(truth, scores))


def choose_threshold(truth: Flags, scores: Floats, how: Threshold) -> float:
    """Choose among 0.01, 0.02, …, 0.99; of equally good ones the smallest.

    The rows must not be those that the model is judged on.
    """
    return float(max(_THRESHOLDS, key=lambda each: _worth(decide(truth, scores, each), how)))


def decide(truth: Flags, scores: Floats, threshold: float) -> Decisions:
    """Call rows positive from a probability on, and count."""
    called = scores >= threshold
    hits, false_alarms = int((called & truth).sum()), int((called & ~truth).sum())
    misses, right = int((~called & truth).sum()), int((~called & ~truth).sum())
    return Decisions(
        threshold=float(threshold),
        true_positives=hits,
        false_positives=false_alarms,
        false_negatives=misses,
        true_negatives=right,
        accuracy=_share(hits + right, len(truth)),
        precision=_share(hits, hits + false_alarms),
        recall=_share(hits, hits + misses),
        f1=_share(2 * hits, 2 * hits + false_alarms + misses),
    )


def measure(truth: Flags, scores: Floats, threshold: float, slices: pd.DataFrame) -> Metrics:
    """Measure probabilities against the truth.

    Args:
        truth: Which rows are positive; both classes must be there.
        scores: Their probabilities.
        threshold: From which they count as positive.
        slices: Columns of the same rows, each value of which is measured alone.
    """
    return Metrics(
        rows=len(truth),
        positives=int(truth.sum()),
        auc=auc(truth, scores),
        average_precision=significant(average_precision_score(truth, scores)),
        brier=significant(brier_score_loss(truth, scores)),
        log_loss=significant(log_loss(truth, scores)),
        lift_at_10=_share(_top(truth, scores, 0.1).mean(), truth.mean()),
        recall_at_20=_share(int(_top(truth, scores, 0.2).sum()), int(truth.sum())),
        at_half=decide(truth, scores, HALF),
        at_threshold=decide(truth, scores, threshold),
        calibration=tuple(_calibration(truth, scores)),
        slices=tuple(_slices(truth, scores, slices)),
    )


def _worth(found: Decisions, how: Threshold) -> float:
    if how.method == "best_f1":
        return found.f1
    return -(
        how.cost_of_miss * found.false_negatives + how.cost_of_false_alarm * found.false_positives
    )


def _top(truth: Flags, scores: Floats, share: float) -> Flags:
    """Give the truth of the rows with the highest scores; of equal ones the first rows."""
    order = np.argsort(-scores, kind="stable")
    return truth[order[: max(1, round(len(truth) * share))]]


def _calibration(truth: Flags, scores: Floats) -> Iterator[CalibrationBin]:
    """Cut rows into tenths by probability: as many rows in each, so that none is all chance."""
    for part in np.array_split(np.argsort(scores, kind="stable"), _BINS):
        if len(part):
            yield CalibrationBin(
                rows=len(part),
                predicted=significant(scores[part].mean()),
                observed=significant(truth[part].mean()),
            )


def _slices(truth: Flags, scores: Floats, columns: pd.DataFrame) -> Iterator[SliceMetrics]:
    for name in columns:
        texts = columns[name].astype(str).to_numpy()
        for value in sorted(set(texts)):
            inside = texts == value
            yield SliceMetrics(
                column=str(name),
                value=str(value),
                rows=int(inside.sum()),
                positives=int(truth[inside].sum()),
                auc=_slice_auc(truth[inside], scores[inside]),
            )


def _slice_auc(truth: Flags, scores: Floats) -> float | None:
    smaller = min(int(truth.sum()), int((~truth).sum()))
    return auc(truth, scores) if smaller >= LEAST_OF_A_SLICE else None


def _share(part: float, whole: float) -> float:
    return significant(part / whole) if whole else 0.0


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Give mean and standard deviation (of the values themselves, not of a larger population)."""
    return significant(float(np.mean(values))), significant(float(np.std(values)))
