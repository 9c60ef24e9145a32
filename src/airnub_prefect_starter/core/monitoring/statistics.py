"""Robust statistics: how unusual a number is, and how much a distribution has moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_HISTORY = 5
# Of the median: numbers that hardly ever differ would make every small change an outlier.
_FLOOR = 0.05
# Makes the median absolute deviation of a normal distribution its standard deviation.
_MAD_SCALE = 1.4826
# A bin that is empty on one side would make PSI infinite.
_EMPTY = 1e-4


def robust_z(value: float, history: Sequence[float]) -> float:
    """Tell how many robust standard deviations a value is from the median of others.

    The scale is 1.4826 times the median absolute deviation, and no less than 5 % of the median.

    Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), who take |z| > 3.5.
    """
    past = np.asarray(history, dtype=np.float64)
    median = float(np.median(past))
    spread = _MAD_SCALE * float(np.median(np.abs(past - median)))
    scale = max(spread, _FLOOR * abs(median))
    if scale == 0:
        return 0.0 if value == median else float("inf")
    return (value - median) / scale


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Give the population stability index of shares per bin; both sum to 1.

    0.1 is a noticeable and 0.25 a large change, as credit scoring has it.
    """
    before: Floats = np.clip(np.asarray(expected, dtype=np.float64), _EMPTY, None)
    after: Floats = np.clip(np.asarray(actual, dtype=np.float64), _EMPTY, None)
    return float(np.sum((after - before) * np.log(after / before)))


def bin_edges(values: Floats, bins: int = 10) -> list[float]:
    """Give the inner quantiles of values; equal ones are one edge, so lumps share a bin."""
    if not len(values):
        return []
    quantiles = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return [float(each) for each in np.unique(quantiles)]


def shares(values: Floats, edges: Sequence[float]) -> list[float]:
    """Give the share of values per bin: up to the first edge, …, above the last."""
    if not len(values):
        return [0.0] * (len(edges) + 1)
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return [float(each) for each in counts / len(values)]
