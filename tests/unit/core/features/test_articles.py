from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.features.articles import (
    IDENTITY,
    FeatureModel,
    fit,
    split,
    table_schema,
    transform,
)
from airnub_prefect_starter.core.features.metadata import describe
from airnub_prefect_starter.core.features.steps import TermOptions
from airnub_prefect_starter.core.tables import table_digest

OPTIONS = TermOptions()
DIGEST = """
from airnub_prefect_starter.core.data_cleaning import clean
from airnub_prefect_starter.core.features.articles import *
from airnub_prefect_starter.core.features.steps import TermOptions
from airnub_prefect_starter.core.readers import read_csv_bytes
from airnub_prefect_starter.core.tables import table_digest
from airnub_prefect_starter.demo.articles import articles_csv

rows = clean(read_csv_bytes(articles_csv(), ARTICLES), ARTICLES).accepted
training = split(rows, 80)
table = transform(fit(rows[training], TermOptions()), rows, training).table
print(table_digest(table, table_schema(table)))
"""


@pytest.fixture(scope="module")
def model(articles: pd.DataFrame, training: pd.Series[Any]) -> FeatureModel:
    return fit(articles[training], OPTIONS)


def test_every_feature_is_a_finite_number_of_its_own(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    table = transform(model, articles, training).table

    assert tuple(table.columns[:3]) == IDENTITY
    values = table.drop(columns=[*IDENTITY])
    assert len(values.columns) > 140
    assert not values.columns.duplicated().any()
    assert np.isfinite(values.astype("float64").to_numpy()).all()
    assert (values[table["is_training"]].nunique() > 1).all()
    scaled = table.loc[table["is_training"], list(model.scaler.columns)]
    assert np.allclose(scaled.mean(), 0, atol=1e-6)
    assert np.allclose(scaled.std(ddof=0), 1)


def test_training_rows_are_the_earliest(articles: pd.DataFrame) -> None:
    shuffled = articles.sample(frac=1, random_state=1)

    training = split(shuffled, 80)

    assert int(training.sum()) == 800
    assert shuffled[training]["publish_date"].max() < shuffled[~training]["publish_date"].min()


def test_nothing_is_learned_from_other_rows(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    changed = articles.copy()
    later = ~training
    changed.loc[later, "view_count"] = 1_000_000
    changed.loc[later, "title"] = "zebra zebra zebra!"
    changed.loc[later, "category"] = "cooking"

    again = fit(changed[training], OPTIONS)

    assert again == model
    before = transform(model, articles, training).table
    after = transform(again, changed, training).table
    pd.testing.assert_frame_equal(before[before["is_training"]], after[after["is_training"]])


def test_the_order_of_rows_does_not_matter(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    shuffled = articles.sample(frac=1, random_state=2)
    again = fit(shuffled[split(shuffled, 80)], OPTIONS)

    assert again.to_json() == model.to_json()
    assert transform(again, shuffled, split(shuffled, 80)).table.equals(
        transform(model, articles, training).table
    )


def test_what_was_fitted_comes_back_from_json_and_transforms_equally(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    again = FeatureModel.from_json(model.to_json())

    assert again == model
    assert transform(again, articles, training).table.equals(
        transform(model, articles, training).table
    )


def test_two_processes_come_to_one_digest(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    table = transform(model, articles, training).table
    other = subprocess.run(
        [sys.executable, "-c", DIGEST],
        check=True,
        capture_output=True,
        text=True,
        env={"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
    )

    assert other.stdout.strip() == table_digest(table, table_schema(table))


def test_a_single_article_has_features_too(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    every = transform(model, articles, training).table
    one = articles[articles["id"] == 1000]

    alone = transform(model, one, training).table

    pd.testing.assert_frame_equal(alone, every[every["id"] == 1000].reset_index(drop=True))


def test_constant_columns_are_dropped_and_named(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    features = transform(model, articles, training)
    about = describe(model, features, "sha256:" + "0" * 64)

    assert "publish_quarter" in about.dropped
    assert "publish_quarter" not in features.table
    assert sum(len(names) for names in about.groups.values()) == len(about.features)


def test_metadata_gives_natural_units(
    articles: pd.DataFrame, training: pd.Series[Any], model: FeatureModel
) -> None:
    about = describe(model, transform(model, articles, training), "sha256:" + "0" * 64)

    hour = next(each for each in about.features if each.name == "publish_hour")
    assert (hour.group, hour.minimum, hour.maximum, hour.nulls) == ("temporal", 0, 23, 0)
    assert hour.scaled
    weekend = next(each for each in about.features if each.name == "is_weekend")
    assert not weekend.scaled
    assert about.fitted_on_rows == 800


def test_too_few_articles_are_refused(articles: pd.DataFrame) -> None:
    with pytest.raises(PayloadError, match="20 articles are too few"):
        split(articles.head(20), 80)


def test_two_features_of_one_name_are_refused(
    articles: pd.DataFrame, training: pd.Series[Any]
) -> None:
    clashing = articles.assign(category="view_count_mean")

    with pytest.raises(PayloadError, match="'category_view_count_mean'"):
        fit(clashing[training], OPTIONS)


def test_encoders_of_something_else_are_refused() -> None:
    with pytest.raises(PayloadError, match="Not the encoders"):
        FeatureModel.from_json(b"{}")
