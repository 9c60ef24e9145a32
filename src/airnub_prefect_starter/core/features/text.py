"""Features of the text itself: nothing is learned from other articles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

DESCRIPTIONS: Mapping[str, str] = {
    "title_length": "Characters of the title",
    "title_word_count": "Words of the title",
    "body_length": "Characters of the body",
    "body_word_count": "Words of the body",
    "avg_word_length_title": "Mean characters of the title's words; 0 without words",
    "avg_word_length_body": "Mean characters of the body's words; 0 without words",
    "title_punctuation_count": "Characters of the title that are neither letters nor white space",
    "body_punctuation_count": "Characters of the body that are neither letters nor white space",
    "title_uppercase_ratio": "Share of upper-case letters in the title's characters",
    "title_has_question": "A question mark stands in the title",
    "title_has_exclamation": "An exclamation mark stands in the title",
    "readability_score": "Words of the body per minute of reading",
}
_PUNCTUATION = r"[^\w\s]"
_NO_LETTERS = r"[^A-ZÀ-ÖØ-Þ]"


def text_features(articles: pd.DataFrame) -> pd.DataFrame:
    """Measure titles and bodies; see `DESCRIPTIONS` for the columns.

    Args:
        articles: Columns ``title``, ``body`` (texts) and ``reading_time_minutes`` (over 0).
    """
    title, body = articles["title"], articles["body"]
    body_words = word_count(body)
    return pd.DataFrame(
        {
            "title_length": title.str.len(),
            "title_word_count": word_count(title),
            "body_length": body.str.len(),
            "body_word_count": body_words,
            "avg_word_length_title": _mean_word_length(title),
            "avg_word_length_body": _mean_word_length(body),
            "title_punctuation_count": title.str.count(_PUNCTUATION),
            "body_punctuation_count": body.str.count(_PUNCTUATION),
            "title_uppercase_ratio": _per(_uppercase(title), title.str.len()),
            "title_has_question": title.str.contains("?", regex=False),
            "title_has_exclamation": title.str.contains("!", regex=False),
            "readability_score": body_words / articles["reading_time_minutes"],
        },
        index=articles.index,
    )


def word_count(texts: pd.Series[Any]) -> pd.Series[Any]:
    """Count what white space separates."""
    return texts.map(lambda text: len(text.split()))


def _mean_word_length(texts: pd.Series[Any]) -> pd.Series[Any]:
    return _per(texts.str.replace(r"\s+", "", regex=True).str.len(), word_count(texts))


def _uppercase(texts: pd.Series[Any]) -> pd.Series[Any]:
    return texts.str.replace(_NO_LETTERS, "", regex=True).str.len()


def _per(part: pd.Series[Any], whole: pd.Series[Any]) -> pd.Series[Any]:
    return part / whole.clip(lower=1)
