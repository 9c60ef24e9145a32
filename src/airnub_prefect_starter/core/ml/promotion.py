"""A training that passes its gates becomes a version; equal rows decide whether it counts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.derivation import split_ref
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedResult,
    Record,
    RunInfo,
)
from airnub_prefect_starter.core.ml import model_files
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation
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
from airnub_prefect_starter.core.releases.records import Release
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import read_parquet

log = logging.getLogger(__name__)

_VERIFY = "Run `airnub store verify`"


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
        f"Champion: {champion.name} version {champion.number} ({champion.kind}), "
        f"AUC {champion.metrics['auc']:.4f}"
    )


def core_register_model(
    store: Store, result: DerivedResult, *, run: RunInfo | None = None
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
    trained = _read_training(store, result)
    require(trained.found.gates, trained.spec.name)
    registry = ModelRegistry(store, trained.spec.name)
    version = registry.register(_candidate(store, trained, run or RunInfo()))
    aliases = registry.aliases()
    if aliases.champion is None:
        registry.promote(version, expected=None)
        return _promotion(result, version, version, "it is the first one")
    champion = registry.version(aliases.champion)
    if version.number in (aliases.champion, aliases.challenger):
        return _promotion(result, version, champion, "it has that part already")
    better, reason = _compare(store, trained, version, champion)
    if better:
        registry.promote(version, expected=champion.number)
        return _promotion(result, version, version, reason)
    registry.challenge(version, expected=champion.number)
    return _promotion(result, version, champion, reason)


@dataclass(frozen=True)
class _Trained:
    """A stored training: its result, its manifest, and what that says."""

    result: DerivedResult
    manifest: DerivedManifest
    spec: ModelSpec
    found: Evaluation

    def input_of(self, ref: str) -> DerivedInput:
        wanted = split_ref(ref)
        inputs = self.manifest.inputs
        return next(each for each in inputs if (each.namespace, each.source_id) == wanted)


def _read_training(store: Store, result: DerivedResult) -> _Trained:
    manifest = store.manifest(result.manifest)
    if not isinstance(manifest, DerivedManifest):
        raise CorruptObjectError(f"{result.manifest} is not a derived manifest", _VERIFY)
    spec = ModelSpec.model_validate(manifest.parameters["spec"])
    return _Trained(result, manifest, spec, read_evaluation(store, result))


def _candidate(store: Store, trained: _Trained, run: RunInfo) -> Candidate:
    spec, found = trained.spec, trained.found
    return Candidate(
        name=spec.name,
        kind=found.best.kind,
        model_file=output_named(trained.result, model_file_name(found)).blob,
        key=spec.key,
        target=spec.target,
        positive=spec.positive,
        numeric=spec.numeric,
        categorical=found.categories,
        threshold=found.best.test.at_threshold.threshold,
        metrics=found.best.numbers(),
        manifest=trained.result.manifest,
        trained_on=trained.manifest.inputs,
        code=str(trained.manifest.parameters["code"]),
        release=_release(store, trained),
        tolerance=spec.tolerance,
        run=run,
    )


def _release(store: Store, trained: _Trained) -> int | None:
    """Give the number of the release that has the features, by their bytes."""
    if trained.spec.release is None:
        return None
    stored = store.read_blob(trained.input_of(trained.spec.release).blob)
    release = Release.model_validate_json(stored)
    features = trained.input_of(trained.spec.features).blob
    if features in {file.sha256 for each in release.datasets for file in each.files}:
        return release.number
    log.warning("%s are not in release %d; release them first", features, release.number)
    return None


def _compare(
    store: Store, trained: _Trained, challenger: ModelVersion, champion: ModelVersion
) -> tuple[bool, str]:
    """Judge both on the rows that were held out of the challenger's training."""
    rows = _rows_held_out(store, trained)
    lost = sorted(set(champion.columns) - {str(name) for name in rows.columns})
    if lost:
        return True, f"version {champion.number} needs features that are gone: {', '.join(lost)}"
    gate = challenge_gate(
        _auc(store, trained.spec, challenger, rows),
        _auc(store, trained.spec, champion, rows),
        kinds=(challenger.kind, champion.kind),
        gates=trained.spec.gates,
    )
    gained = f"AUC gained over version {champion.number} on the same rows"
    return gate.passed, f"{gained}: {shown(gate)} ({gate.why})"


def _rows_held_out(store: Store, trained: _Trained) -> pd.DataFrame:
    spec = trained.spec
    rows = read_parquet(store.read_blob(trained.input_of(spec.features).blob))
    keys = read_held_out(store, trained.result)[spec.key]
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
