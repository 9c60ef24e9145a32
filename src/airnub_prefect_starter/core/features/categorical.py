"""Features of the author and the category: what the training rows say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from airnub_prefect_starter.core.features.engagement import engagement_score
from airnub_prefect_starter.core.features.rounding import significant
from airnub_prefect_starter.core.manifest_models import Record

Numbers = Mapping[str, float]

_AUTHOR: Mapping[str, tuple[str, str]] = {
    "author_view_count_mean": ("view_count", "mean"),
    "author_view_count_std": ("view_count", "std"),
    "author_view_count_count": ("view_count", "count"),
    "author_like_count_mean": ("like_count", "mean"),
    "author_comment_count_mean": ("comment_count", "mean"),
    "author_engagement_score_mean": ("engagement_score", "mean"),
}
_CATEGORY: Mapping[str, tuple[str, str]] = {
    "category_view_count_mean": ("view_count", "mean"),
    "category_engagement_score_mean": ("engagement_score", "mean"),
    "category_reading_time_minutes_mean": ("reading_time_minutes", "mean"),
}
_NAMES = {
    "view_count": "views",
    "like_count": "likes",
    "comment_count": "comments",
    "engagement_score": "engagement scores",
    "reading_time_minutes": "minutes of reading",
}
_COUNT = "author_view_count_count"
_STD = "author_view_count_std"
_PROLIFIC = 0.8


class CategoricalModel(Record):
    """What the training rows say of each author and category, and of one that they do not have."""

    authors: Mapping[int, Numbers]
    unknown_author: Numbers
    prolific_above: float
    categories: Mapping[str, Numbers]
    unknown_category: Numbers

    def descriptions(self) -> dict[str, str]:
        """Say what each column is."""
        return {
            **{name: _describe(*what, "author") for name, what in _AUTHOR.items()},
            **{name: _describe(*what, "category") for name, what in _CATEGORY.items()},
            **{one_hot(name): f"The category is {name}" for name in self.categories},
            "author_is_prolific": "More training articles than 80 % of the authors have",
        }


def one_hot(category: str) -> str:
    """Name the column that says whether an article is of a category."""
    return f"category_{category}"


def fit_categorical(train: pd.DataFrame) -> CategoricalModel:
    """Average the training rows by author and by category.

    An author of one article has a standard deviation of 0. One that is unknown has the means of all
    training rows, and no articles.
    """
    rows = train.assign(engagement_score=engagement_score(train))
    authors = rows.groupby("author_id").agg(**_named(_AUTHOR)).fillna({_STD: 0.0})
    categories = rows.groupby("category").agg(**_named(_CATEGORY))
    overall = _overall(rows, _AUTHOR)
    return CategoricalModel(
        authors={int(str(key)): _numbers(row) for key, row in authors.iterrows()},
        unknown_author={**overall, _COUNT: 0.0},
        prolific_above=significant(authors[_COUNT].quantile(_PROLIFIC)),
        categories={str(key): _numbers(row) for key, row in categories.iterrows()},
        unknown_category=_overall(rows, _CATEGORY),
    )


def categorical_features(model: CategoricalModel, articles: pd.DataFrame) -> pd.DataFrame:
    """Look up what was fitted of each author and category; see `CategoricalModel.descriptions`.

    Args:
        model: What was fitted.
        articles: Columns ``author_id`` and ``category``.
    """
    author, category = articles["author_id"], articles["category"]
    of_author = [model.authors.get(int(key), model.unknown_author) for key in author]
    of_category = [model.categories.get(str(key), model.unknown_category) for key in category]
    found = pd.DataFrame(of_author, index=articles.index, columns=list(_AUTHOR), dtype="float64")
    means = pd.DataFrame(of_category, index=articles.index, columns=list(_CATEGORY))
    flags = {one_hot(name): category == name for name in model.categories}
    prolific = found[_COUNT] > model.prolific_above
    return pd.concat([found, means, pd.DataFrame(flags)], axis=1).assign(
        author_is_prolific=prolific
    )


def _named(columns: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    return {name: pd.NamedAgg(*what) for name, what in columns.items()}


def _overall(rows: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> Numbers:
    return {name: significant(rows[of].agg(how)) for name, (of, how) in columns.items()}


def _numbers(row: pd.Series[Any]) -> Numbers:
    return {str(name): significant(value) for name, value in row.items()}


def _describe(of: str, how: str, whose: str) -> str:
    if how == "count":
        return f"Training articles of the {whose}"
    words = {"mean": "Mean", "std": "Standard deviation of the"}
    return f"{words[how]} {_NAMES[of]} of the {whose}'s training articles"
