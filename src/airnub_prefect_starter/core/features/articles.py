"""All five groups together: fitted on the earliest articles, applied to all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.features import engagement, temporal, text
from airnub_prefect_starter.core.features.categorical import (
    CategoricalModel,
    categorical_features,
    fit_categorical,
)
from airnub_prefect_starter.core.features.engagement import (
    EngagementModel,
    engagement_features,
    fit_engagement,
)
from airnub_prefect_starter.core.features.rounding import rounded
from airnub_prefect_starter.core.features.scaling import ScalerModel, fit_scaler, scaled
from airnub_prefect_starter.core.features.steps import TermOptions
from airnub_prefect_starter.core.features.temporal import (
    TemporalModel,
    fit_temporal,
    temporal_features,
)
from airnub_prefect_starter.core.features.text import text_features
from airnub_prefect_starter.core.features.tfidf import TfidfModel, fit_tfidf, tfidf_features
from airnub_prefect_starter.core.manifest_models import Record
from airnub_prefect_starter.core.table_schema import Column, TableSchema

Group = Literal["text", "temporal", "engagement", "categorical", "tfidf"]
Groups = Mapping[Group, pd.DataFrame]

LEAST_ROWS = 10
IDENTITY = ("id", "publish_date", "is_training")
ARTICLES = TableSchema(
    key=("id",),
    columns=(
        Column(name="id", dtype="int"),
        Column(name="title", dtype="string"),
        Column(name="body", dtype="string"),
        Column(name="category", dtype="string"),
        Column(name="author_id", dtype="int"),
        Column(name="publish_date", dtype="timestamp"),
        Column(name="view_count", dtype="int", minimum=0),
        Column(name="like_count", dtype="int", minimum=0),
        Column(name="comment_count", dtype="int", minimum=0),
        Column(name="is_featured", dtype="bool"),
        Column(name="reading_time_minutes", dtype="float", minimum=0.1),
    ),
)


class FeatureModel(Record):
    """All that was learned from the training rows; without it no new article has features."""

    trained_rows: int
    temporal: TemporalModel
    engagement: EngagementModel
    categorical: CategoricalModel
    tfidf: TfidfModel
    scaler: ScalerModel
    dropped: tuple[str, ...]

    def descriptions(self) -> dict[Group, dict[str, str]]:
        """Say what each column is, by group; those that were dropped are among them."""
        return {
            "text": dict(text.DESCRIPTIONS),
            "temporal": dict(temporal.DESCRIPTIONS),
            "engagement": dict(engagement.DESCRIPTIONS),
            "categorical": self.categorical.descriptions(),
            "tfidf": self.tfidf.descriptions(),
        }

    def to_json(self) -> bytes:
        """Serialise; the shortest text that gives each float again, so nothing is lost."""
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> FeatureModel:
        """Read back what `to_json` wrote.

        Raises:
            PayloadError: It is something else. No retry.
        """
        try:
            return cls.model_validate_json(raw)
        except ValueError as error:
            raise PayloadError("Not the encoders of features", "Make them again") from error


@dataclass(frozen=True)
class Features:
    """Features of articles, one row per article, in order of ``id``.

    Attributes:
        table: ``id``, ``publish_date``, ``is_training``, then the features, numbers scaled.
        natural: The features in their own units, by group.
    """

    table: pd.DataFrame
    natural: Groups


def split(articles: pd.DataFrame, train_percent: int) -> pd.Series[Any]:
    """Tell which rows are for training: the earliest ones; of equal times the smaller ``id``.

    Raises:
        PayloadError: There are too few articles, or too few of one side. No retry.
    """
    order = articles.sort_values(["publish_date", "id"], kind="stable").index
    train = len(articles) * train_percent // 100
    if min(train, len(articles) - train) < LEAST_ROWS:
        raise PayloadError(
            f"{len(articles)} articles are too few for {train_percent} % of training rows",
            f"Both sides need {LEAST_ROWS}",
        )
    return pd.Series(articles.index.isin(order[:train]), index=articles.index)


def fit(train: pd.DataFrame, options: TermOptions) -> FeatureModel:
    """Learn from training rows alone: means, terms, thresholds, scales and constant columns.

    Args:
        train: Rows as `ARTICLES` says.
        options: Which terms count.

    Raises:
        PayloadError: No term is left. No retry.
    """
    train = train.sort_values("id", kind="stable")  # sums depend on the order of their parts
    fitted = FeatureModel(
        trained_rows=len(train),
        temporal=fit_temporal(train),
        engagement=fit_engagement(train),
        categorical=fit_categorical(train),
        tfidf=fit_tfidf(train, options),
        scaler=ScalerModel(columns=(), mean=(), scale=()),
        dropped=(),
    )
    groups = natural_features(fitted, train)
    everything = pd.concat(groups.values(), axis=1)
    constant = tuple(str(name) for name in everything if everything[name].nunique() == 1)
    numbers = pd.concat([frame for name, frame in groups.items() if name != "tfidf"], axis=1)
    measured = numbers.drop(columns=[*constant], errors="ignore").select_dtypes("number")
    scaler = fit_scaler(measured, [*map(str, measured.columns)])
    return fitted.model_copy(update={"scaler": scaler, "dropped": constant})


def natural_features(model: FeatureModel, articles: pd.DataFrame) -> Groups:
    """Compute the features in their own units, by group, less the columns that were dropped.

    Raises:
        PayloadError: Two features have one name, or one is not a finite number. No retry.
    """
    found: dict[Group, pd.DataFrame] = {
        "text": text_features(articles),
        "temporal": temporal_features(model.temporal, articles),
        "engagement": engagement_features(model.engagement, articles),
        "categorical": categorical_features(model.categorical, articles),
        "tfidf": tfidf_features(model.tfidf, articles),
    }
    _require_own_names(found)
    groups: Groups = {
        name: rounded(_plain(frame.drop(columns=[*model.dropped], errors="ignore")))
        for name, frame in found.items()
    }
    _require_finite(groups)
    return groups


def transform(model: FeatureModel, articles: pd.DataFrame, training: pd.Series[Any]) -> Features:
    """Compute the features of articles with what was fitted.

    Args:
        model: What was fitted.
        articles: Rows as `ARTICLES` says.
        training: Which of them it was fitted on.

    Raises:
        PayloadError: See `natural_features`. No retry.
    """
    ordered = articles.sort_values("id", kind="stable")
    groups = natural_features(model, ordered)
    values = rounded(scaled(model.scaler, pd.concat(groups.values(), axis=1)))
    about = ordered[["id", "publish_date"]].astype({"id": "int64"})
    about = about.assign(is_training=training.reindex(ordered.index).astype("bool"))
    table = pd.concat([about, values], axis=1).reset_index(drop=True)
    return Features(table, groups)


def table_schema(table: pd.DataFrame) -> TableSchema:
    """Describe a table of features, for its digest."""
    return TableSchema(
        key=("id",),
        columns=tuple(Column(name=name, dtype=_dtype(table[name])) for name in table),
    )


def _dtype(values: pd.Series[Any]) -> Literal["int", "float", "bool", "timestamp"]:
    kinds: Mapping[str, Literal["int", "float", "bool", "timestamp"]] = {
        "i": "int",
        "f": "float",
        "b": "bool",
        "M": "timestamp",
    }
    return kinds[values.dtype.kind]


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns the types of numpy; nothing is missing in them."""
    kinds = {"i": "int64", "u": "int64", "f": "float64", "b": "bool"}
    return frame.astype({name: kinds[frame[name].dtype.kind] for name in frame})


def _require_own_names(groups: Groups) -> None:
    names = pd.Index([name for frame in groups.values() for name in frame.columns])
    repeated = names[names.duplicated()]
    if len(repeated):
        raise PayloadError(
            f"Two features are called {repeated[0]!r}", "Rename the category, or allow fewer terms"
        )


def _require_finite(groups: Groups) -> None:
    for frame in groups.values():
        floats = frame.select_dtypes("float64")
        bad = [name for name in floats if not np.isfinite(floats[name]).all()]
        if bad:
            raise PayloadError(
                f"The feature {bad[0]!r} is not a finite number", "Correct the articles"
            )
