"""Each group's numbers, worked out by hand on a few articles."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.features.categorical import categorical_features, fit_categorical
from airnub_prefect_starter.core.features.engagement import engagement_features, fit_engagement
from airnub_prefect_starter.core.features.scaling import fit_scaler, scaled
from airnub_prefect_starter.core.features.steps import TermOptions
from airnub_prefect_starter.core.features.temporal import fit_temporal, temporal_features
from airnub_prefect_starter.core.features.text import text_features
from airnub_prefect_starter.core.features.tfidf import fit_tfidf, tfidf_features


def _articles(**columns: list[Any]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    usual: dict[str, list[Any]] = {
        "id": list(range(1, rows + 1)),
        "title": ["New chip?"] * rows,
        "body": ["It works, mostly."] * rows,
        "category": ["tech"] * rows,
        "author_id": [7] * rows,
        "publish_date": ["2024-01-06T20:00:00Z"] * rows,
        "view_count": [100] * rows,
        "like_count": [10] * rows,
        "comment_count": [5] * rows,
        "reading_time_minutes": [2.0] * rows,
    }
    frame = pd.DataFrame(usual | columns)
    return frame.assign(publish_date=pd.to_datetime(frame["publish_date"]).dt.as_unit("us"))


def test_text() -> None:
    found = text_features(_articles(title=["New chip?", "ABC", ""])).to_dict("list")

    assert found["title_length"] == [9, 3, 0]
    assert found["title_word_count"] == [2, 1, 0]
    assert found["avg_word_length_title"] == [4, 3, 0]
    assert found["title_punctuation_count"] == [1, 0, 0]
    assert found["title_uppercase_ratio"] == [1 / 9, 1, 0]
    assert found["title_has_question"] == [True, False, False]
    assert found["title_has_exclamation"] == [False, False, False]
    assert found["body_word_count"] == [3, 3, 3]
    assert found["body_punctuation_count"] == [2, 2, 2]
    assert found["readability_score"] == [1.5, 1.5, 1.5]


def test_time() -> None:
    rows = _articles(
        publish_date=["2024-01-06T20:30:00Z", "2024-07-01T09:00:00Z", "2024-01-08T18:00:00Z"]
    )

    found = temporal_features(fit_temporal(rows[:1]), rows).to_dict("list")

    assert found["publish_hour"] == [20, 9, 18]
    assert found["publish_day_of_week"] == [5, 0, 0]
    assert found["publish_month"] == [1, 7, 1]
    assert found["publish_quarter"] == [1, 3, 1]
    assert found["is_weekend"] == [True, False, False]
    assert found["is_business_hours"] == [False, True, False]
    assert found["is_prime_time"] == [True, False, False]
    assert found["days_since_start"] == [0, 176, 1]
    assert found["hour_sin"][2] == pytest.approx(-1)
    assert found["day_cos"][1] == 1
    assert found["month_cos"][1] == pytest.approx(-(3**0.5) / 2)


def test_time_is_that_of_utc() -> None:
    rows = _articles(publish_date=["2024-01-06T20:30:00Z"])
    elsewhere = rows.assign(publish_date=rows["publish_date"].dt.tz_convert("Asia/Tokyo"))

    found = temporal_features(fit_temporal(elsewhere), elsewhere)

    assert found["publish_hour"].tolist() == [20]


def test_engagement() -> None:
    rows = _articles(view_count=[100, 0], like_count=[10, 0], comment_count=[5, 1])

    found = engagement_features(fit_engagement(rows), rows).to_dict("list")

    assert found["engagement_score"] == [30, 2]
    assert found["like_to_view_ratio"] == [10 / 101, 0]
    assert found["comment_to_view_ratio"] == [5 / 101, 1]
    assert found["comment_to_like_ratio"] == [5 / 11, 1]
    assert found["engagement_per_word"] == [7.5, 0.5]
    assert found["views_per_minute"] == [100 / 3, 0]
    assert found["is_viral"] == [True, False]


def test_authors_and_categories_have_the_numbers_of_the_training_rows() -> None:
    train = _articles(
        author_id=[1, 1, 2], view_count=[10, 30, 50], category=["tech", "tech", "sports"]
    )
    unseen = _articles(author_id=[1, 9], view_count=[9999, 9999], category=["sports", "cooking"])

    found = categorical_features(fit_categorical(train), unseen).to_dict("list")

    assert found["author_view_count_mean"] == [20, 30]
    assert found["author_view_count_std"] == [pytest.approx(200**0.5), 20]
    assert found["author_view_count_count"] == [2, 0]
    assert found["category_view_count_mean"] == [50, 30]
    assert found["category_sports"] == [True, False]
    assert found["category_tech"] == [False, False]
    assert found["author_is_prolific"] == [True, False]


def test_an_author_of_one_article_has_no_deviation() -> None:
    rows = _articles(author_id=[1, 2], view_count=[10, 50])

    found = categorical_features(fit_categorical(rows), rows)

    assert found["author_view_count_std"].tolist() == [0, 0]


def test_terms_are_those_of_the_training_rows() -> None:
    train = _articles(title=["red robot", "red robot", "blue sea"], body=["", "", ""])
    unseen = _articles(title=["green robot"], body=[""])
    options = TermOptions(max_terms=5, min_articles=1, max_share_percent=100)

    model = fit_tfidf(train, options)
    found = tfidf_features(model, unseen)

    assert model.terms == ("blue", "blue sea", "red", "red robot", "robot")
    assert found.loc[0].to_dict() == {
        "tfidf_blue": 0,
        "tfidf_blue_sea": 0,
        "tfidf_red": 0,
        "tfidf_red_robot": 0,
        "tfidf_robot": 1,
    }


def test_articles_without_common_terms_are_refused() -> None:
    rows = _articles(title=["red", "blue"], body=["", ""])

    with pytest.raises(PayloadError, match="No terms of 2 articles"):
        fit_tfidf(rows, TermOptions(min_articles=2))


def test_scaled_numbers_have_mean_0_and_deviation_1_on_the_training_rows() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "flag": [True, False, True]})

    found = scaled(fit_scaler(frame, ["a"]), frame)

    assert found["a"].tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert found["flag"].tolist() == [True, False, True]
