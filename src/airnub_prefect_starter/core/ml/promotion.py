"""A training that passes its gates becomes a version; equal rows decide whether it counts."""

from __future__ import annotations

import json
from typing import Literal

import pandas as pd

from airnub_prefect_starter.core.derivation import split_ref
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedResult,
    Record,
    RunInfo,
)
from airnub_prefect_starter.core.ml import model_files
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation, GateResult
from airnub_prefect_starter.core.ml.gates import challenge_gate, require, shown
from airnub_prefect_starter.core.ml.metrics import auc
from airnub_prefect_starter.core.ml.registry import Candidate, ModelRegistry, ModelVersion
from airnub_prefect_starter.core.ml.rows import labels, model_input
from airnub_prefect_starter.core.ml.step import (
    model_file_name,
    output_named,
    read_evaluation,
    read_held_out,
)
from airnub_prefect_starter.core.ml.training import positive_scores
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import read_parquet


class Promotion(Record):
    """What became of a training."""

    source_id: str
    version: ModelVersion
    role: Literal["champion", "challenger"]
    reason: str
    champion: ModelVersion

    @property
    def line(self) -> str:
        """Name the model that counts now, and how good it is."""
        return champion_line(self.champion)


def champion_line(champion: ModelVersion) -> str:
    """Name a champion and its AUC on the rows that were held out of its training."""
    return (
        f"Champion of {champion.name}: version {champion.number} ({champion.kind}), "
        f"AUC {champion.metrics['auc']:.4f}"
    )


def core_register_model(
    store: Store, spec: ModelSpec, result: DerivedResult, *, run: RunInfo | None = None
) -> Promotion:
    """Register the best candidate of a training, and make it champion if it earns that.

    Without a champion it becomes one. Else both are judged on the rows held out of the new
    training; a version that is better by enough, or simpler and hardly worse, becomes champion.
    A version that has a part already keeps it: what a person has moved back stays so.

    Raises:
        GateError: The training misses a gate: nothing is registered, the champion stays. No retry.
        RefConflictError: Another trainer changed the champion meanwhile. A retry decides anew.
        ModelFileError: The champion's model file must not be loaded. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    found = read_evaluation(store, result)
    require(found.gates, spec.name)
    registry = ModelRegistry(store, spec.name)
    version = registry.register(_candidate(store, spec, result, found, run or RunInfo()))
    aliases = registry.aliases()
    if aliases.champion is None:
        registry.promote(version, expected=None)
        return _promotion(result, version, version, "it is the first one")
    champion = registry.version(aliases.champion)
    if version.number in (aliases.champion, aliases.challenger):
        return _promotion(result, version, champion, "it has that part already")
    better, reason = _compare(store, spec, result, (version, champion))
    if better:
        registry.promote(version, expected=champion.number)
        return _promotion(result, version, version, reason)
    registry.challenge(version, expected=champion.number)
    return _promotion(result, version, champion, reason)


def _candidate(
    store: Store, spec: ModelSpec, result: DerivedResult, found: Evaluation, run: RunInfo
) -> Candidate:
    manifest = _manifest(store, result)
    return Candidate(
        name=spec.name,
        kind=found.best.kind,
        model_file=output_named(result, model_file_name(found)).blob,
        key=spec.key,
        target=spec.target,
        positive=spec.positive,
        numeric=spec.numeric,
        categorical=found.categories,
        threshold=found.best.test.at_threshold.threshold,
        metrics={**found.best.test.flat(), "cv_auc": found.best.cv_auc},
        manifest=result.manifest,
        trained_on=manifest.inputs,
        code=str(manifest.parameters["code"]),
        release=_release(store, spec, manifest),
        tolerance=spec.tolerance,
        run=run,
    )


def _manifest(store: Store, result: DerivedResult) -> DerivedManifest:
    manifest = store.manifest(result.manifest)
    assert isinstance(manifest, DerivedManifest)  # noqa: S101 - a DerivedResult leads to no other
    return manifest


def _release(store: Store, spec: ModelSpec, manifest: DerivedManifest) -> int | None:
    if spec.release is None:
        return None
    wanted = split_ref(spec.release)
    found = next(x for x in manifest.inputs if (x.namespace, x.source_id) == wanted)
    return int(json.loads(store.read_blob(found.blob))["number"])


def _compare(
    store: Store,
    spec: ModelSpec,
    result: DerivedResult,
    contest: tuple[ModelVersion, ModelVersion],
) -> tuple[bool, str]:
    """Judge challenger and champion on the rows that were held out of the challenger's training."""
    challenger, champion = contest
    rows = _rows_held_out(store, spec, result)
    lost = sorted(set(champion.columns) - {str(name) for name in rows.columns})
    if lost:
        return (
            True,
            f"the features that version {champion.number} needs are gone: {', '.join(lost)}",
        )
    gate = challenge_gate(
        _auc(store, spec, challenger, rows),
        _auc(store, spec, champion, rows),
        kinds=(challenger.kind, champion.kind),
        gates=spec.gates,
    )
    return gate.passed, _reason(gate, champion)


def _reason(gate: GateResult, champion: ModelVersion) -> str:
    return f"AUC gained over version {champion.number} on the same rows: {shown(gate)} ({gate.why})"


def _rows_held_out(store: Store, spec: ModelSpec, result: DerivedResult) -> pd.DataFrame:
    features = next(
        each
        for each in _manifest(store, result).inputs
        if (each.namespace, each.source_id) == split_ref(spec.features)
    )
    rows = read_parquet(store.read_blob(features.blob))
    keys = read_held_out(store, result)[spec.key]
    return rows[rows[spec.key].astype(str).isin(set(keys))]


def _auc(store: Store, spec: ModelSpec, version: ModelVersion, rows: pd.DataFrame) -> float:
    digest = version.model_file.digest
    model = model_files.load(store.read_blob(digest), digest)
    features = model_input(rows, version.numeric, tuple(version.categorical))
    return auc(labels(rows, spec), positive_scores(model, features))


def _promotion(
    result: DerivedResult, version: ModelVersion, champion: ModelVersion, reason: str
) -> Promotion:
    role: Literal["champion", "challenger"] = (
        "champion" if champion.number == version.number else "challenger"
    )
    return Promotion(
        source_id=result.source_id, version=version, role=role, reason=reason, champion=champion
    )
