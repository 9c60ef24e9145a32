"""A training that passes its gates becomes a version; equal rows decide whether it counts."""

from __future__ import annotations

from dataclasses import dataclass

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
from airnub_prefect_starter.core.ml.lineage import unseen_by
from airnub_prefect_starter.core.ml.metrics import LEAST_OF_A_SLICE, auc
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion, Role, TrainedModel
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

_VERIFY = "Run `airnub store verify`"


class Promotion(Record):
    """What became of a training."""

    source_id: str
    version: ModelVersion
    role: Role
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
    training that the champion was not trained on either; a version that is better by enough, or
    simpler and hardly worse, becomes champion. A version that is champion or challenger already
    stays so, since a person may have moved it. What was decided is kept beside the version.

    Raises:
        GateError: The training misses a gate: nothing is registered, the champion stays. No retry.
        RefConflictError: Another trainer changed the champion meanwhile. A retry decides anew.
        ModelFileError: The champion's model file must not be loaded. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    trained = _read_training(store, result)
    require(trained.found.gates, trained.spec.name)
    registry = ModelRegistry(store, trained.spec.name)
    version = registry.register(_trained_model(store, trained, run or RunInfo()))
    champion, reason = _decide(store, trained, registry, version)
    promotion = Promotion(
        source_id=result.source_id,
        version=version,
        role="champion" if champion.number == version.number else "challenger",
        reason=reason + _unreleased(trained.spec, version),
        champion=champion,
    )
    registry.keep_decision(
        version, role=promotion.role, reason=promotion.reason, champion=champion.number
    )
    return promotion


def _decide(
    store: Store, trained: _Trained, registry: ModelRegistry, version: ModelVersion
) -> tuple[ModelVersion, str]:
    """Move the aliases as the version earns it; give the champion from now on, and why."""
    aliases = registry.aliases()
    if aliases.champion is None:
        registry.promote(version, expected=None)
        return version, "it is the first one"
    champion = registry.version(aliases.champion)
    if version.number in (aliases.champion, aliases.challenger):
        return champion, "it has that role already"
    better, reason = _compare(store, trained, version, champion)
    if better:
        registry.promote(version, expected=champion.number)
        return version, reason
    registry.challenge(version, expected=champion.number)
    return champion, reason


def _unreleased(spec: ModelSpec, version: ModelVersion) -> str:
    if spec.release is None or version.release is not None:
        return ""
    return "; its features are in no release, so `airnub reproduce` will leave it out"


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


def _trained_model(store: Store, trained: _Trained, run: RunInfo) -> TrainedModel:
    spec, found = trained.spec, trained.found
    return TrainedModel(
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
    return None


def _compare(
    store: Store, trained: _Trained, challenger: ModelVersion, champion: ModelVersion
) -> tuple[bool, str]:
    """Judge both on the rows held out of the challenger's training that the champion never saw."""
    rows = _rows_held_out(store, trained)
    lost = sorted(set(champion.columns) - {str(name) for name in rows.columns})
    if lost:
        return True, f"version {champion.number} needs features that are gone: {', '.join(lost)}"
    rows = rows[unseen_by(store, champion, rows[trained.spec.key])]
    truth = labels(rows, trained.spec)
    if min(truth.sum(), (~truth).sum()) < LEAST_OF_A_SLICE:
        return False, (
            f"version {champion.number} was trained on all but {len(rows)} of the rows held out: "
            "too few to compare (`split.method: hash` keeps rows on their side)"
        )
    found, before = (_auc(store, trained.spec, each, rows) for each in (challenger, champion))
    gate = challenge_gate(
        found,
        before,
        kinds=(challenger.kind, champion.kind),
        gates=trained.spec.gates,
    )
    return gate.passed, (
        f"AUC {found:.4f} against {before:.4f} of version {champion.number} on {len(rows):,} rows "
        f"that neither was trained on: a gain of {shown(gate)} ({gate.why})"
    )


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
