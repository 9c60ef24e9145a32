"""The newest rows against those that the champion was trained on, kept with its lineage."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import pandas as pd

from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    read_input,
)
from airnub_prefect_starter.core.feature_store.step import PROFILE
from airnub_prefect_starter.core.manifest_models import (
    DerivedOutput,
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.ml import drift
from airnub_prefect_starter.core.ml.drift import DriftReport, find_drift, find_score_drift
from airnub_prefect_starter.core.ml.inference_steps import DriftLimits, DriftStep
from airnub_prefect_starter.core.ml.lineage import (
    blob_of,
    features_of,
    model_input_of,
    parameters_of,
)
from airnub_prefect_starter.core.ml.plots import plot_drift
from airnub_prefect_starter.core.model_inference import ServedModel, load_model
from airnub_prefect_starter.core.monitoring import profiles, statistics
from airnub_prefect_starter.core.monitoring.profiles import Profile
from airnub_prefect_starter.core.monitoring.results import CheckResult, ScoreLimits, health
from airnub_prefect_starter.core.plots import PNG
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import read_parquet

DRIFT, PLOT = "drift.json", "drift.png"
_JSON = "application/json"
_MODULES = (drift, profiles, statistics)


def core_watch_drift(
    store: Store, step: DriftStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Compare the newest features, and their scores, with those the champion was trained on.

    Outputs are ``drift.json`` and ``drift.png``. What is critical is in the report: who publishes
    it fails the run. Nothing is done where features, champion, options and code are those of the
    last run.

    Raises:
        ObjectNotFoundError: There are no features, or no champion. No retry before there are.
        PayloadError: The rows lack what the profile has. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    model = load_model(store, step.model)
    version = model.version
    batch = read_input(store, step.features, step.file)
    reference = features_of(version)
    inputs = (batch, reference, model_input_of(store, version))
    parameters = {
        "code": code_digest(*_MODULES, sys.modules[__name__]),
        "step": parameters_of(step),
        "model_version": version.number,
    }
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    rows, trained = (read_parquet(store.read_blob(each.blob)) for each in (batch, reference))
    results = _compared(store, model, rows, trained, step.limits)
    report = DriftReport(
        model=step.model,
        version=version.number,
        reference=reference.manifest,
        batch=batch.manifest,
        rows=len(rows),
        health=health(results, ScoreLimits()),
        results=results,
    )
    return commit(store, derivation, _put(store, report, step.limits), run=run or RunInfo())


def _compared(
    store: Store,
    model: ServedModel,
    rows: pd.DataFrame,
    trained: pd.DataFrame,
    limits: DriftLimits,
) -> tuple[CheckResult, ...]:
    blob = blob_of(store, features_of(model.version).manifest, PROFILE)
    profile = Profile.model_validate_json(store.read_blob(blob))
    before, now = model.probabilities(trained), model.probabilities(rows)
    return (
        *find_drift(profile, rows, limits),
        find_score_drift(profile, before, now, limits),
    )


def _put(store: Store, report: DriftReport, limits: DriftLimits) -> Iterator[DerivedOutput]:
    drawn = plot_drift(stability(report.results), limits.warning, limits.critical)
    files = {DRIFT: (report.model_dump_json(indent=1).encode(), _JSON), PLOT: (drawn, PNG)}
    for name, (raw, media_type) in files.items():
        blob, _ = store.put_bytes(raw, media_type=media_type)
        yield DerivedOutput(name=name, blob=blob)


def stability(results: tuple[CheckResult, ...]) -> Mapping[str, float]:
    """Give the PSI of each column that has one."""
    return {
        each.column: each.value
        for each in results
        if each.check == "drift" and each.value is not None
    }


def read_drift(store: Store, result: DerivedResult) -> tuple[DriftReport, bytes]:
    """Read back a report and its plot, whichever run made them.

    Raises:
        StoreError: They cannot be read.
    """
    blobs = {output.name: output.blob.digest for output in result.outputs}
    report = DriftReport.model_validate_json(store.read_blob(blobs[DRIFT]))
    return report, store.read_blob(blobs[PLOT])
