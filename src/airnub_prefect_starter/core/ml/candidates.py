"""The models that are tried: pipelines with all preprocessing inside, so none sees test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from airnub_prefect_starter.core.ml.config import CandidateKind

_MODELS: Mapping[CandidateKind, Callable[[int], Any]] = {
    "dummy": lambda _seed: DummyClassifier(strategy="prior"),
    "logistic_regression": lambda _seed: LogisticRegression(max_iter=1000),
    "hist_gradient_boosting": lambda seed: HistGradientBoostingClassifier(
        max_iter=80, max_leaf_nodes=8, early_stopping=False, random_state=seed
    ),
    "random_forest": lambda seed: RandomForestClassifier(
        n_estimators=100, n_jobs=1, random_state=seed
    ),
}


def make_pipeline(
    kind: CandidateKind,
    numeric: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    seed: int,
) -> Pipeline:
    """Make a pipeline that is not fitted.

    Args:
        kind: Of model.
        numeric: Features that are numbers; scaled, which trees do not mind.
        categories: Feature → its values; a value that is not among them counts as none of them.
        seed: Of what is random.
    """
    encoder = OneHotEncoder(
        categories=[list(values) for values in categories.values()],
        handle_unknown="ignore",
        sparse_output=False,
    )
    prepare = ColumnTransformer(
        [("numeric", StandardScaler(), list(numeric)), ("categorical", encoder, list(categories))],
        verbose_feature_names_out=False,
    )
    return Pipeline([("prepare", prepare), ("model", _MODELS[kind](seed))])
