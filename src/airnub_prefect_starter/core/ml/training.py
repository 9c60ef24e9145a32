"""From rows of features to trained candidates and what they are worth. A pure function."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from airnub_prefect_starter.core.features.rounding import significant
from airnub_prefect_starter.core.ml import model_files
from airnub_prefect_starter.core.ml.candidates import make_pipeline
from airnub_prefect_starter.core.ml.config import SIMPLEST_FIRST, Candidate, ModelSpec
from airnub_prefect_starter.core.ml.evaluation import CandidateResult, Evaluation
from airnub_prefect_starter.core.ml.gates import data_gates, model_gates
from airnub_prefect_starter.core.ml.metrics import auc, choose_threshold, mean_and_spread, measure
from airnub_prefect_starter.core.ml.overlap import measure_overlap
from airnub_prefect_starter.core.ml.rows import (
    Flags,
    Floats,
    known_categories,
    labels,
    model_input,
    training_rows,
)
from airnub_prefect_starter.core.ml.split import held_out
from airnub_prefect_starter.core.store.digest import Digest

log = logging.getLogger(__name__)

SCORE = "score_"
_REPEATS = 5


@dataclass(frozen=True)
class Training:
    """What a training gives.

    Attributes:
        evaluation: What the candidates are worth.
        model_file: The winner.
        rows: The rows as they were ordered, features in their own units.
        scores: One row per row held out: the key, the target as true or false, and a column
            ``score_<candidate>`` for each candidate.
    """

    evaluation: Evaluation
    model_file: bytes
    rows: pd.DataFrame
    scores: pd.DataFrame


@dataclass(frozen=True)
class _Data:
    """Rows in the types of models, and which are held out."""

    spec: ModelSpec
    rows: pd.DataFrame
    features: pd.DataFrame
    truth: Flags
    test: Flags
    categories: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Fitted:
    result: CandidateResult
    model: Pipeline
    scores: Floats


def train(frame: pd.DataFrame, spec: ModelSpec) -> Training:
    """Train every candidate and judge the best one; gates that are missed are not raised here.

    Candidates are compared by cross-validation on the training rows; the rows held out are looked
    at only to judge. Equal rows and options give an equal result in every process.

    Args:
        frame: One row per key, with key, target and features; more columns do no harm.
        spec: What to make of it.

    Raises:
        PayloadError: See `training_rows` and `model_input`. No retry.
    """
    # Sums in several threads come in another order each time.
    with threadpool_limits(limits=1):
        data = _prepare(frame, spec)
        fitted = {each.name: _fit(each, data) for each in spec.candidates}
        results = [each.result for each in fitted.values()]
        best = choose(results, spec.gates.min_gain)
        importance = _importance(fitted[best.name].model, data)
    model_file = model_files.dump(fitted[best.name].model)
    overlap = measure_overlap(data.rows, data.test, spec)
    gates = (*data_gates(overlap, spec.gates), *model_gates(best, results, spec.gates))
    evaluation = Evaluation(
        name=spec.name,
        rows=len(data.rows),
        train_rows=int((~data.test).sum()),
        positives=int(data.truth.sum()),
        categories=data.categories,
        overlap=overlap,
        candidates=tuple(results),
        winner=best.name,
        model_file=Digest.of(model_file).text,
        importance=importance,
        gates=gates,
    )
    return Training(evaluation, model_file, data.rows, _scores(data, fitted))


def positive_scores(model: Pipeline, features: pd.DataFrame) -> Floats:
    """Give the probability of the positive class of each row."""
    column = list(model.classes_).index(True)
    found: Floats = model.predict_proba(features)[:, column]
    return found


def _prepare(frame: pd.DataFrame, spec: ModelSpec) -> _Data:
    rows = training_rows(frame, spec)
    test = held_out(rows, spec)
    return _Data(
        spec=spec,
        rows=rows,
        features=model_input(rows, spec.numeric, spec.categorical),
        truth=labels(rows, spec),
        test=test,
        categories=known_categories(rows[~test], spec),
    )


def _fit(candidate: Candidate, data: _Data) -> _Fitted:
    train, test = ~data.test, data.test
    features, truth = data.features[train], data.truth[train]
    folds, unseen = _cross_validate(candidate, features, truth, data)
    threshold = choose_threshold(truth, unseen, data.spec.threshold)
    model = _pipeline(candidate, data).fit(features, truth)
    scores = positive_scores(model, data.features[test])
    slices = data.rows.loc[test, list(data.spec.slices)]
    mean, spread = mean_and_spread(folds)
    result = CandidateResult(
        name=candidate.name,
        kind=candidate.kind,
        fold_auc=tuple(folds),
        cv_auc=mean,
        cv_auc_sd=spread,
        train_auc=auc(truth, positive_scores(model, features)),
        test=measure(data.truth[test], scores, threshold, slices),
    )
    log.info("%s: AUC %.4f ± %.4f, held out %.4f", candidate.name, mean, spread, result.test.auc)
    return _Fitted(result, model, scores)


def _cross_validate(
    candidate: Candidate, features: pd.DataFrame, truth: Flags, data: _Data
) -> tuple[list[float], Floats]:
    """Give the AUC of each fold, and each row's probability by a model that has not seen it."""
    split = data.spec.split
    unseen: Floats = np.zeros(len(truth))
    found = []
    folds = StratifiedKFold(split.folds, shuffle=True, random_state=split.seed)
    for inside, outside in folds.split(features, truth):
        model = _pipeline(candidate, data).fit(features.iloc[inside], truth[inside])
        unseen[outside] = positive_scores(model, features.iloc[outside])
        found.append(auc(truth[outside], unseen[outside]))
    return found, unseen


def _pipeline(candidate: Candidate, data: _Data) -> Pipeline:
    spec = data.spec
    return make_pipeline(candidate.kind, spec.numeric, data.categories, spec.split.seed)


def choose(results: Sequence[CandidateResult], min_gain: float) -> CandidateResult:
    """Choose by cross-validation: the simplest of those that are hardly worse than the best."""
    top = max(each.cv_auc for each in results)
    close = [each for each in results if each.cv_auc == top or top - each.cv_auc < min_gain]
    return min(close, key=lambda each: (SIMPLEST_FIRST.index(each.kind), -each.cv_auc))


def _importance(model: Pipeline, data: _Data) -> dict[str, float]:
    """Measure how much AUC is lost when a feature of the rows held out is shuffled; most first."""
    found = permutation_importance(
        model,
        data.features[data.test],
        data.truth[data.test],
        scoring="roc_auc",
        n_repeats=_REPEATS,
        random_state=data.spec.split.seed,
        n_jobs=1,
    ).importances_mean
    pairs = zip(data.features.columns, found, strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    return {str(name): significant(value) for name, value in ordered}


def _scores(data: _Data, fitted: Mapping[str, _Fitted]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            data.spec.key: data.rows.loc[data.test, data.spec.key].astype(str).to_numpy(),
            data.spec.target: data.truth[data.test],
            **{f"{SCORE}{name}": each.scores for name, each in fitted.items()},
        }
    )
