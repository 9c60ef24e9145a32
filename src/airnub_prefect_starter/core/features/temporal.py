"""Features of the time of publication, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from airnub_prefect_starter.core.manifest_models import Record

DESCRIPTIONS: Mapping[str, str] = {
    "publish_hour": "Hour of publication, 0 to 23",
    "publish_day_of_week": "Day of the week, 0 is Monday",
    "publish_month": "Month, 1 to 12",
    "publish_quarter": "Quarter, 1 to 4",
    "hour_sin": "Sine of the hour on its circle of 24",
    "hour_cos": "Cosine of the hour on its circle of 24",
    "day_sin": "Sine of the day on its circle of 7",
    "day_cos": "Cosine of the day on its circle of 7",
    "month_sin": "Sine of the month on its circle of 12",
    "month_cos": "Cosine of the month on its circle of 12",
    "is_weekend": "Saturday or Sunday",
    "is_business_hours": "Hour 9 to 17",
    "is_prime_time": "Hour 19 to 22",
    "days_since_start": "Whole days since the first article of the training rows",
}


class TemporalModel(Record):
    """The day that others are counted from."""

    start: datetime


def fit_temporal(train: pd.DataFrame) -> TemporalModel:
    """Find the first publication of the training rows."""
    first: pd.Timestamp = train["publish_date"].min()
    return TemporalModel(start=datetime.fromtimestamp(first.timestamp(), UTC))


def temporal_features(model: TemporalModel, articles: pd.DataFrame) -> pd.DataFrame:
    """Describe when articles were published; see `DESCRIPTIONS` for the columns.

    Args:
        model: What was fitted.
        articles: Column ``publish_date``, times with a zone.
    """
    when = articles["publish_date"].dt.tz_convert("UTC").dt
    hour, day, month = (each.astype("int64") for each in (when.hour, when.day_of_week, when.month))
    start = pd.Timestamp(model.start)
    return pd.DataFrame(
        {
            "publish_hour": hour,
            "publish_day_of_week": day,
            "publish_month": month,
            "publish_quarter": when.quarter.astype("int64"),
            **_circle("hour", hour, 24),
            **_circle("day", day, 7),
            **_circle("month", month, 12),
            "is_weekend": day >= 5,
            "is_business_hours": hour.between(9, 17),
            "is_prime_time": hour.between(19, 22),
            "days_since_start": (articles["publish_date"] - start).dt.days.astype("int64"),
        },
        index=articles.index,
    )


def _circle(name: str, values: pd.Series[Any], length: int) -> dict[str, Any]:
    angle = 2 * np.pi * values / length
    return {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}
