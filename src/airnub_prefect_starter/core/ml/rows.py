"""Rows of features as models take them: checked, in one order, of two types of columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.ml.config import ModelSpec

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
LEAST_OF_A_CLASS = 50
_REMEDY = "Run the stage that makes the features, or correct the model's configuration"


def training_rows(frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Check what a training gets and order it by key, so that equal rows train equal models.

    Raises:
        PayloadError: A column is missing, a value is missing or not a finite number, the target has
            another value than two, or there are too few rows of a class. No retry.
    """
    wanted = [spec.key, *spec.columns, spec.target, *spec.slices, *spec.segments]
    require_columns(frame, wanted)
    found = frame[list(dict.fromkeys(wanted))]
    if empty := [str(name) for name in found if found[name].isna().any()]:
        raise PayloadError(f"Features have missing values in {', '.join(empty)}", _REMEDY)
    _require_two_classes(found[spec.target].astype(str), spec)
    return found.sort_values([spec.key, *spec.columns, spec.target], ignore_index=True)


def model_input(
    frame: pd.DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> pd.DataFrame:
    """Give the features of rows, numbers first, in the types that a model was trained on.

    Raises:
        PayloadError: A column is missing, or a number is not one or not finite. No retry.
    """
    require_columns(frame, [*numeric, *categorical])
    try:
        numbers = frame[[*numeric]].astype("float64")
    except (ValueError, TypeError) as error:
        raise PayloadError(f"A feature is not a number: {error}", _REMEDY) from error
    finite = np.isfinite(numbers.to_numpy())
    if not finite.all():
        column = numbers.columns[int(np.argmin(finite.all(axis=0)))]
        raise PayloadError(f"Feature {column!r} holds a value that is not finite", _REMEDY)
    # Not pandas' own text type: the model file would need pandas to be read.
    texts = {name: frame[name].astype(str).to_numpy(dtype=object) for name in categorical}
    return numbers.assign(**texts)[[*numeric, *categorical]]


def labels(frame: pd.DataFrame, spec: ModelSpec) -> Flags:
    """Tell which rows are positive."""
    found: Flags = (frame[spec.target].astype(str) == spec.positive).to_numpy(dtype=bool)
    return found


def known_categories(frame: pd.DataFrame, spec: ModelSpec) -> dict[str, tuple[str, ...]]:
    """Give the values of each categorical feature, sorted."""
    return {name: tuple(sorted(frame[name].astype(str).unique())) for name in spec.categorical}


def require_columns(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Refuse rows that lack a column.

    Raises:
        PayloadError: They do. No retry.
    """
    missing = sorted(set(wanted) - {str(name) for name in frame.columns})
    if missing:
        raise PayloadError(f"Features lack the columns {', '.join(missing)}", _REMEDY)


def _require_two_classes(target: pd.Series[str], spec: ModelSpec) -> None:
    counts = target.value_counts()
    if len(counts) != 2 or spec.positive not in counts.index:
        raise PayloadError(
            f"{spec.target} has the values {', '.join(map(str, counts.index[:5])) or 'none'}, "
            f"expected were {spec.positive!r} and one other",
            _REMEDY,
        )
    if counts.min() < LEAST_OF_A_CLASS:
        raise PayloadError(
            f"{counts.min()} rows of {spec.target} {counts.idxmin()!r} are too few for a model",
            f"Each of the two classes needs {LEAST_OF_A_CLASS}",
        )
