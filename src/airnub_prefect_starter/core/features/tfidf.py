"""Features of single words and pairs: how often one stands in an article, rare ones weighing more.

scikit-learn counts and weighs; its state is two lists, which JSON holds and which make an equal
vectorizer again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.features.rounding import all_significant
from airnub_prefect_starter.core.features.steps import TermOptions
from airnub_prefect_starter.core.manifest_models import Record

COLUMN_PREFIX = "tfidf_"
_LANGUAGE = {"ngram_range": (1, 2), "stop_words": "english"}


class TfidfModel(Record):
    """The terms of the training rows, and their inverse document frequencies."""

    terms: tuple[str, ...]
    idf: tuple[float, ...]

    def descriptions(self) -> dict[str, str]:
        """Say what each column is."""
        return {column(term): f"TF-IDF of “{term}”" for term in self.terms}


def column(term: str) -> str:
    """Name a term's column; Delta tables allow no spaces in names."""
    return f"{COLUMN_PREFIX}{term.replace(' ', '_')}"


def fit_tfidf(train: pd.DataFrame, options: TermOptions) -> TfidfModel:
    """Choose the terms of the training rows and weigh them.

    Raises:
        PayloadError: No term is left. No retry.
    """
    vectorizer = TfidfVectorizer(
        max_features=options.max_terms,
        min_df=options.min_articles,
        max_df=options.max_share_percent / 100,
        **_LANGUAGE,
    )
    try:
        vectorizer.fit(_texts(train))
    except ValueError as error:  # what scikit-learn raises for an empty vocabulary
        raise PayloadError(
            f"No terms of {len(train)} articles are left: {error}", "Change `terms` of the step"
        ) from error
    return TfidfModel(
        terms=tuple(map(str, vectorizer.get_feature_names_out())),
        idf=all_significant(vectorizer.idf_),
    )


def tfidf_features(model: TfidfModel, articles: pd.DataFrame) -> pd.DataFrame:
    """Weigh the terms of titles and bodies together; one column per term.

    Args:
        model: What was fitted.
        articles: Columns ``title`` and ``body``.
    """
    vectorizer = TfidfVectorizer(vocabulary=list(model.terms), **_LANGUAGE)
    vectorizer.idf_ = np.array(model.idf)
    found = vectorizer.transform(_texts(articles)).toarray()
    return pd.DataFrame(found, index=articles.index, columns=[column(term) for term in model.terms])


def _texts(articles: pd.DataFrame) -> pd.Series[Any]:
    return articles["title"] + " " + articles["body"]
