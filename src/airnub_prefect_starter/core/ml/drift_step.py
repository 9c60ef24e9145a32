"""The newest rows against those that the champion was trained on, kept with its lineage."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    put_outputs,
    read_input,
)
from airnub_prefect_starter.core.feature_store.step import PROFILE
from airnub_prefect_starter.core.manifest_models import DerivedInput, DerivedResult, RunInfo
from airnub_prefect_starter.core.ml import drift, lineage, plots, report
from airnub_prefect_starter.core.ml.drift import DriftReport, find_drift, find_score_drift
from airnub_prefect_starter.core.ml.inference_steps import DriftLimits, DriftStep
from airnub_prefect_starter.core.ml.lineage import (
    blob_of,
    features_of,
    held_out_keys,
    model_input_of,
    parameters_of,
)
from airnub_prefect_starter.core.ml.plots import plot_drift
from airnub_prefect_starter.core.ml.report import HTML, render_drift, template_digest
from airnub_prefect_starter.core.ml.step import read_file
from airnub_prefect_starter.core.model_inference import ServedModel, load_model
from airnub_prefect_starter.core.monitoring import profiles, statistics
from airnub_prefect_starter.core.monitoring.profiles import Profile
from airnub_prefect_starter.core.monitoring.results import CheckResult, ScoreLimits, health
from airnub_prefect_starter.core.plots import PNG
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import read_parquet

DRIFT, PAGE, PLOT = "drift.json", "drift.html", "drift.png"
_JSON = "application/json"
_MODULES = (drift, lineage, plots, profiles, report, statistics)


def core_watch_drift(
    store: Store, step: DriftStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Compare the newest features, and their scores, with those the champion was trained on.

    Outputs are ``drift.json``, ``drift.html`` and ``drift.png``. What is critical is in the report:
    who publishes it fails the run. Nothing is done where features, champion, options and code are
    those of the last run.

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
        "layout": template_digest(report.DRIFT),
        "step": parameters_of(step),
        "model_version": version.number,
    }
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    files = _files(_find(store, model, step, batch), step.limits)
    return commit(store, derivation, put_outputs(store, files), run=run or RunInfo())


def _find(store: Store, model: ServedModel, step: DriftStep, batch: DerivedInput) -> DriftReport:
    version, reference = model.version, features_of(model.version)
    rows, trained = (read_parquet(store.read_blob(each.blob)) for each in (batch, reference))
    profile = Profile.model_validate_json(
        store.read_blob(blob_of(store, reference.manifest, PROFILE))
    )
    # What a model says of the rows it was fitted on is too sure to compare others with.
    unseen = trained[trained[version.key].astype(str).isin(held_out_keys(store, version))]
    results = (
        *find_drift(profile, rows, step.limits),
        find_score_drift(
            profile, model.probabilities(unseen), model.probabilities(rows), step.limits
        ),
    )
    return DriftReport(
        model=step.model,
        version=version.number,
        reference=reference.manifest,
        batch=batch.manifest,
        rows=len(rows),
        health=health(results, ScoreLimits()),
        results=results,
    )


def _files(found: DriftReport, limits: DriftLimits) -> Mapping[str, tuple[bytes, str]]:
    drawn = plot_drift(stability(found.results), limits.warning, limits.critical)
    return {
        DRIFT: (found.model_dump_json(indent=1).encode(), _JSON),
        PAGE: (render_drift(found, drawn).encode(), HTML),
        PLOT: (drawn, PNG),
    }


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
    found = DriftReport.model_validate_json(read_file(store, result, DRIFT))
    return found, read_file(store, result, PLOT)
