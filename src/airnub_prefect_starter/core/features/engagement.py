"""Features of how readers took to an article."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from airnub_prefect_starter.core.features.rounding import significant
from airnub_prefect_starter.core.features.text import word_count
from airnub_prefect_starter.core.manifest_models import Record

DESCRIPTIONS: Mapping[str, str] = {
    "like_to_view_ratio": "Likes per view, one more view counted",
    "comment_to_view_ratio": "Comments per view, one more view counted",
    "comment_to_like_ratio": "Comments per like, one more like counted",
    "engagement_score": "Likes + 2 x comments + 0.1 x views",
    "engagement_per_word": "Engagement score per word of the body, one more word counted",
    "is_viral": "Engagement score over the 95th percentile of the training rows",
    "views_per_minute": "Views per minute of reading, one more minute counted",
}
_VIRAL = 0.95


class EngagementModel(Record):
    """The engagement score above which an article is viral."""

    viral_above: float


def engagement_score(articles: pd.DataFrame) -> pd.Series[Any]:
    """Weigh likes, comments and views into one number."""
    score: pd.Series[Any] = (
        articles["like_count"] + 2.0 * articles["comment_count"] + 0.1 * articles["view_count"]
    )
    return score.astype("float64")


def fit_engagement(train: pd.DataFrame) -> EngagementModel:
    """Find the 95th percentile of the training rows."""
    return EngagementModel(viral_above=significant(float(engagement_score(train).quantile(_VIRAL))))


def engagement_features(model: EngagementModel, articles: pd.DataFrame) -> pd.DataFrame:
    """Relate likes, comments and views; see `DESCRIPTIONS` for the columns.

    Args:
        model: What was fitted.
        articles: Columns ``view_count``, ``like_count``, ``comment_count``, ``body`` and
            ``reading_time_minutes``.
    """
    views, likes = articles["view_count"], articles["like_count"]
    comments, score = articles["comment_count"], engagement_score(articles)
    return pd.DataFrame(
        {
            "like_to_view_ratio": likes / (views + 1),
            "comment_to_view_ratio": comments / (views + 1),
            "comment_to_like_ratio": comments / (likes + 1),
            "engagement_score": score,
            "engagement_per_word": score / (word_count(articles["body"]) + 1),
            "is_viral": score > model.viral_above,
            "views_per_minute": views / (articles["reading_time_minutes"] + 1),
        },
        index=articles.index,
    )
