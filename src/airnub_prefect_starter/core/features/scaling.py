"""Numbers of one size: each less its mean, divided by its standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sklearn.preprocessing import StandardScaler

from airnub_prefect_starter.core.features.rounding import all_significant
from airnub_prefect_starter.core.manifest_models import Record


class ScalerModel(Record):
    """Means and standard deviations of the training rows, by column."""

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]


def fit_scaler(train: pd.DataFrame, columns: Sequence[str]) -> ScalerModel:
    """Measure columns of the training rows; none may be constant."""
    scaler = StandardScaler().fit(train[list(columns)].astype("float64"))
    return ScalerModel(
        columns=tuple(columns),
        mean=all_significant(scaler.mean_),
        scale=all_significant(scaler.scale_),
    )


def scaled(model: ScalerModel, frame: pd.DataFrame) -> pd.DataFrame:
    """Scale the fitted columns of a frame and leave the others as they are."""
    columns = list(model.columns)
    values = (frame[columns].astype("float64") - [*model.mean]) / [*model.scale]
    return frame.assign(**values)
