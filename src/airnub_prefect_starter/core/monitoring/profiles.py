"""Reference profiles: the columns and distributions that a table had when somebody accepted them.

A profile is a small JSON document, so drift is found without the rows that it was made of. Only the
columns that are watched are read, one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.features.rounding import all_significant, significant
from airnub_prefect_starter.core.lake.lake import Lake, literal, quoted
from airnub_prefect_starter.core.monitoring.config import Drift, TableWatch
from airnub_prefect_starter.core.monitoring.results import CheckResult, Level
from airnub_prefect_starter.core.monitoring.statistics import Floats, bin_edges, psi, shares

_MOST_CATEGORIES = 50
_OTHERS = "(others)"
_MISSING = "(null)"


class NumberProfile(ConfigModel):
    """A column of numbers: deciles, the share of values per bin, mean and standard deviation."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    mean: float
    deviation: float


class Profile(ConfigModel):
    """What a table was like: its columns and types, and the distributions that are watched."""

    table: str
    reference: str
    columns: Mapping[str, str]
    numbers: Mapping[str, NumberProfile] = {}
    categories: Mapping[str, Mapping[str, float]] = {}


def make_profile(lake: Lake, watch: TableWatch, columns: Mapping[str, str]) -> Profile:
    """Profile a table as it is now.

    Raises:
        TableSchemaError: A watched column is not there. No retry.
        StoreError: The table cannot be read.
    """
    return Profile(
        table=watch.table,
        reference=watch.reference,
        columns=columns,
        numbers={name: number_profile(_numbers(lake, watch, name)) for name in watch.drift.numbers},
        categories={
            name: category_profile(_counts(lake, watch, name)) for name in watch.drift.categories
        },
    )


def check_drift(
    lake: Lake, watch: TableWatch, profile: Profile, batch: str | None
) -> list[CheckResult]:
    """Compare the newest batch, or the whole table without batches, with the reference profile.

    Raises:
        StoreError: The table cannot be read.
    """
    numbers = [
        number_drift(watch, name, reference, _numbers(lake, watch, name, batch))
        for name, reference in profile.numbers.items()
        if name in watch.drift.numbers
    ]
    categories = [
        category_drift(watch, name, reference, _counts(lake, watch, name, batch))
        for name, reference in profile.categories.items()
        if name in watch.drift.categories
    ]
    return [*numbers, *categories]


def number_drift(
    watch: TableWatch, column: str, reference: NumberProfile, values: Floats
) -> CheckResult:
    """Compare numbers with their reference: PSI in its deciles, and the shift of the mean."""
    if not len(values):
        return _drifted(watch, column, float("inf"), "no value at all")
    moved = psi(reference.shares, shares(values, reference.edges))
    shift = float(np.mean(values)) - reference.mean
    effect = f", {shift / reference.deviation:+.2f} standard deviations" * (reference.deviation > 0)
    return _drifted(watch, column, moved, f"mean {reference.mean:,.4g} {shift:+,.4g}{effect}")


def category_drift(
    watch: TableWatch, column: str, reference: Mapping[str, float], counts: Mapping[str, int]
) -> CheckResult:
    """Compare the shares of categories with their reference; new ones count as others."""
    total = sum(counts.values())
    if not total:
        return _drifted(watch, column, float("inf"), "no value at all")
    names = [*dict.fromkeys([*reference, _OTHERS])]
    now = dict.fromkeys(names, 0.0)
    for name, count in counts.items():
        now[name if name in now else _OTHERS] += count / total
    moved = psi([reference.get(name, 0.0) for name in names], [now[name] for name in names])
    most = max(names, key=lambda name: abs(now[name] - reference.get(name, 0.0)))
    effect = f"{most} {reference.get(most, 0.0):.1%} → {now[most]:.1%}"
    return _drifted(watch, column, moved, effect)


def _drifted(watch: TableWatch, column: str, moved: float, effect: str) -> CheckResult:
    limits: Drift = watch.drift
    level: Level = "ok"
    if moved > limits.critical:
        level = "critical"
    elif moved > limits.warning:
        level = "warning"
    return CheckResult(
        check="drift",
        subject=watch.table,
        column=column,
        level=level,
        value=round(moved, 4),
        threshold=limits.critical if level == "critical" else limits.warning,
        message=f"PSI {moved:.3f} of {column} against reference {watch.reference}: {effect}",
    )


def number_profile(values: Floats) -> NumberProfile:
    """Profile numbers: deciles, shares, mean and standard deviation."""
    edges = all_significant(bin_edges(values))
    return NumberProfile(
        edges=edges,
        shares=tuple(shares(values, edges)),
        mean=significant(float(np.mean(values))) if len(values) else 0.0,
        deviation=significant(float(np.std(values))) if len(values) else 0.0,
    )


def category_profile(counts: Mapping[str, int]) -> dict[str, float]:
    """Profile categories: the share of each of the 50 most frequent, and of all others."""
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_MOST_CATEGORIES]
    named = {name: count / total for name, count in ordered}
    return {**named, _OTHERS: max(0.0, 1 - sum(named.values()))}


def _numbers(lake: Lake, watch: TableWatch, column: str, batch: str | None = None) -> Floats:
    name = quoted(column)
    found = lake.query(
        f"SELECT CAST({name} AS DOUBLE) AS value FROM t "  # noqa: S608 - quoted names
        f"WHERE {name} IS NOT NULL{_in_batch(watch, batch)} ORDER BY value",
        {"t": watch.table},
    )
    values: Floats = found["value"].to_numpy(dtype=np.float64)
    return values


def _counts(lake: Lake, watch: TableWatch, column: str, batch: str | None = None) -> dict[str, int]:
    name = quoted(column)
    found: pd.DataFrame = lake.query(
        f"SELECT CAST({name} AS VARCHAR) AS value, count(*) AS rows FROM t "  # noqa: S608
        f"WHERE TRUE{_in_batch(watch, batch)} GROUP BY {name}",
        {"t": watch.table},
    )
    return {
        _MISSING if pd.isna(value) else str(value): int(rows)
        for value, rows in zip(found["value"], found["rows"], strict=True)
    }


def _in_batch(watch: TableWatch, batch: str | None) -> str:
    if batch is None or watch.batches is None:
        return ""
    return f" AND {quoted(watch.batches)} = {literal(batch)}"
