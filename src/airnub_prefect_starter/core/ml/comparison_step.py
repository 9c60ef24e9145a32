"""Champion against challenger on rows that neither was trained on, kept with its lineage."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from airnub_prefect_starter.core import model_inference
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    only_output,
    put_outputs,
    read_input,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.ml import comparison, delong, lineage
from airnub_prefect_starter.core.ml.comparison import Comparison, Scored, compare
from airnub_prefect_starter.core.ml.inference_steps import ComparisonStep
from airnub_prefect_starter.core.ml.lineage import (
    model_input_of,
    parameters_of,
    unseen_by,
)
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion
from airnub_prefect_starter.core.ml.rows import require_columns
from airnub_prefect_starter.core.model_inference import served
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import read_parquet

COMPARISON = "comparison.json"
_JSON = "application/json"


class ComparisonReport(ConfigModel):
    """A comparison, or the reason why there is none."""

    model: str
    champion: int
    challenger: int | None
    comparison: Comparison | None
    summary: str


def core_compare_models(
    store: Store, step: ComparisonStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Compare champion and challenger on the rows of features that neither was trained on.

    Without a challenger there is nothing to compare, which the report says. Nothing is done where
    features, versions, options and code are those of the last run.

    Raises:
        ObjectNotFoundError: There are no features, or no champion. No retry before there are.
        PayloadError: The rows lack what a version needs, or are too few. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    registry = ModelRegistry(store, step.model)
    champion, challenger = registry.require_champion(), registry.challenger()
    contest = (champion,) if challenger is None else (champion, challenger)
    features = read_input(store, step.features, step.file)
    parameters = {
        "code": code_digest(comparison, delong, lineage, model_inference, sys.modules[__name__]),
        "step": parameters_of(step),
        "versions": [each.number for each in contest],
    }
    inputs = (features, *(model_input_of(store, each) for each in contest))
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    rows = read_parquet(store.read_blob(features.blob))
    report = _report(store, step, rows, contest)
    files = {COMPARISON: (report.model_dump_json(indent=1).encode(), _JSON)}
    return commit(store, derivation, put_outputs(store, files), run=run or RunInfo())


def read_comparison(store: Store, result: DerivedResult) -> ComparisonReport:
    """Read back a report, whichever run made it.

    Raises:
        StoreError: It cannot be read.
    """
    return ComparisonReport.model_validate_json(
        store.read_blob(only_output(result, _JSON).blob.digest)
    )


def _report(
    store: Store, step: ComparisonStep, rows: pd.DataFrame, contest: tuple[ModelVersion, ...]
) -> ComparisonReport:
    champion = contest[0]
    if len(contest) == 1:
        return ComparisonReport(
            model=step.model,
            champion=champion.number,
            challenger=None,
            comparison=None,
            summary=f"Version {champion.number} of {step.model} has no challenger",
        )
    found = compare(
        _scored(store, rows, contest),
        versions=(champion.number, contest[1].number),
        experiment=step.experiment,
        share=step.challenger_share,
        resamples=step.resamples,
    )
    return ComparisonReport(
        model=step.model,
        champion=champion.number,
        challenger=contest[1].number,
        comparison=found,
        summary=found.decision,
    )


def _scored(store: Store, rows: pd.DataFrame, contest: tuple[ModelVersion, ...]) -> Scored:
    champion, challenger = contest
    require_columns(rows, [champion.key, champion.target])
    keys = rows[champion.key]
    fair = unseen_by(store, champion, keys) & unseen_by(store, challenger, keys)
    found = rows[fair].drop_duplicates(champion.key, ignore_index=True)
    labels = (found[champion.target].astype(str) == champion.positive).to_numpy(dtype=np.bool_)
    first, second = (served(store, each).probabilities(found) for each in contest)
    return Scored(tuple(found[champion.key].astype(str)), labels, first, second)
