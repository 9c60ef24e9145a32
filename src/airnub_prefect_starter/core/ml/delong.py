"""Confidence intervals of areas under ROC curves, without resampling.

Source: DeLong, DeLong and Clarke-Pearson, Comparing the Areas under Two or More Correlated Receiver
Operating Characteristic Curves, Biometrics 44 (1988); by ranks as in Sun and Xu, Fast
Implementation of DeLong's Algorithm, IEEE Signal Processing Letters 21 (2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.configuration import ConfigModel

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
_FEWEST = 2


class Interval(ConfigModel):
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, variance: float) -> Interval:
        """Give the interval of an area, or a difference of two, that is normal about its value."""
        half = _Z * math.sqrt(variance)
        return cls(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


@dataclass(frozen=True)
class Placements:
    """Of each positive the share of negatives below it, of each negative that of positives above.

    Both have the area as their mean.
    """

    positive: Floats
    negative: Floats

    @property
    def auc(self) -> float:
        """The area under the curve: how often a positive has a higher score than a negative."""
        return float(self.positive.mean())

    @property
    def variance(self) -> float:
        """The variance of the area."""
        return float(
            self.positive.var(ddof=1) / len(self.positive)
            + self.negative.var(ddof=1) / len(self.negative)
        )

    def minus(self, other: Placements) -> Placements:
        """Give the difference to another model's placements of the same rows."""
        return Placements(self.positive - other.positive, self.negative - other.negative)


def placements(labels: Flags, scores: Floats) -> Placements:
    """Place each row among those of the other class; ties count half.

    Raises:
        PayloadError: There are fewer than two rows of a class. No retry.
    """
    positive, negative = scores[labels], scores[~labels]
    if min(len(positive), len(negative)) < _FEWEST:
        raise PayloadError(
            f"{len(positive)} positive and {len(negative)} negative rows give no interval",
            f"Compare on more rows: at least {_FEWEST} of each class",
        )
    both = _ranks(np.concatenate([positive, negative]))
    cut = len(positive)
    return Placements(
        (both[:cut] - _ranks(positive)) / len(negative),
        1 - (both[cut:] - _ranks(negative)) / len(positive),
    )


def auc_interval(found: Placements) -> Interval:
    """Give an area, or the difference of two of the same rows, with its interval."""
    return Interval.around(found.auc, found.variance)


def auc_difference(first: Placements, second: Placements) -> Interval:
    """Give the difference of the areas of two samples that share no row, first less second."""
    return Interval.around(first.auc - second.auc, first.variance + second.variance)


def _ranks(values: Floats) -> Floats:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)
