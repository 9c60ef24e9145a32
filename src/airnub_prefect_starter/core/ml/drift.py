"""How far rows that are to be scored are from those that a model was trained on.

Bins and categories are those of a stored profile, so no training row is needed. Beside the
population stability index (PSI) stands the size of the effect: lumpy numbers, such as prices, give
a large index for a small shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.ml.inference_steps import DriftLimits
from airnub_prefect_starter.core.monitoring.config import Drift, TableWatch
from airnub_prefect_starter.core.monitoring.profiles import (
    Profile,
    category_drift,
    number_drift,
    number_profile,
)
from airnub_prefect_starter.core.monitoring.results import CheckResult, Health, Level
from airnub_prefect_starter.core.monitoring.statistics import Floats

SCORE = "(score)"
_MISSING = "(null)"
_MOST_NAMED = 3


class DriftReport(ConfigModel):
    """What a batch was compared with, and what was found: checks of columns and of scores."""

    model: str
    version: int
    reference: str
    batch: str
    rows: int
    health: Health
    results: tuple[CheckResult, ...]


def find_drift(profile: Profile, rows: pd.DataFrame, limits: DriftLimits) -> list[CheckResult]:
    """Compare every profiled column with its reference; the values are PSI and shares.

    Args:
        profile: Of the rows that the model was trained on.
        rows: The batch, with the profile's columns.
        limits: From when on a difference counts.

    Raises:
        PayloadError: A profiled column is not there, or there is no row. No retry.
    """
    missing = sorted({*profile.numbers, *profile.categories} - set(rows.columns))
    if missing or rows.empty:
        raise PayloadError(
            f"Rows of {profile.table} lack {', '.join(missing)}" if missing else "There is no row",
            "Run the stage transformation again",
        )
    watch = _watch(profile, limits)
    numbers = [
        number_drift(watch, name, reference, _values(rows[name]))
        for name, reference in profile.numbers.items()
    ]
    counted = {name: _counts(rows[name]) for name in profile.categories}
    categories = [
        category_drift(watch, name, reference, counted[name])
        for name, reference in profile.categories.items()
    ]
    unknown = [
        _unknown(profile, name, counts, limits)
        for name, counts in counted.items()
        if not profile.categories[name].get("(others)")
    ]
    return [*numbers, *categories, *unknown]


def find_score_drift(
    profile: Profile, reference: Floats, scores: Floats, limits: DriftLimits
) -> CheckResult:
    """Compare the probabilities of a model with those of the rows held out of its training."""
    return number_drift(_watch(profile, limits), SCORE, number_profile(reference), scores)


def _watch(profile: Profile, limits: DriftLimits) -> TableWatch:
    drift = Drift(warning=limits.warning, critical=limits.critical)
    return TableWatch(table=profile.table, reference=profile.reference, drift=drift)


def _unknown(
    profile: Profile, column: str, counts: dict[str, int], limits: DriftLimits
) -> CheckResult:
    """Tell which share of the values the reference has not; a model cannot know what they mean."""
    strange = {name: n for name, n in counts.items() if name not in profile.categories[column]}
    share = sum(strange.values()) / sum(counts.values())
    level: Level = "warning" if share else "ok"
    if share > limits.unknown_critical:
        level = "critical"
    named = f": {_named(strange)}" if strange else ""
    return CheckResult(
        check="unknown",
        subject=profile.table,
        column=column,
        level=level,
        value=round(share, 4),
        threshold=limits.unknown_critical,
        message=f"{share:.2%} of the values of {column} are unknown{named}",
    )


def _named(values: dict[str, int]) -> str:
    most: Sequence[str] = sorted(values, key=lambda name: (-values[name], name))[:_MOST_NAMED]
    return ", ".join(repr(each) for each in most)


def _values(column: pd.Series[Any]) -> Floats:
    found: Floats = column.dropna().to_numpy(dtype=np.float64)
    return found


def _counts(column: pd.Series[Any]) -> dict[str, int]:
    found = column.value_counts(dropna=False)
    return {
        _MISSING if pd.isna(value) else str(value): int(count)  # type: ignore[call-overload]
        for value, count in found.items()
    }
