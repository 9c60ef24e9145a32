"""Making a release of the churn data again, and the model that was trained on it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.churn.columns import SPLITS
from airnub_prefect_starter.core.churn.feature_step import core_build_churn_features
from airnub_prefect_starter.core.churn.features import ChurnFeatureStep
from airnub_prefect_starter.core.churn.preparation import core_prepare_customers
from airnub_prefect_starter.core.churn.splits import core_split_table
from airnub_prefect_starter.core.churn.steps import PreparationStep, SplitStep, ValidationStep
from airnub_prefect_starter.core.churn.validation import core_validate_sources
from airnub_prefect_starter.core.derivation import read_input
from airnub_prefect_starter.core.manifest_models import DerivedInput, DerivedManifest, DerivedResult
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion
from airnub_prefect_starter.core.ml.step import training_code
from airnub_prefect_starter.core.ml.training import train
from airnub_prefect_starter.core.releases.records import Release
from airnub_prefect_starter.core.releases.release import read_release
from airnub_prefect_starter.core.releases.reproduce import (
    Compared,
    Replay,
    Reproduction,
    compare_metrics,
    reproduce_data,
)
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.tables import read_parquet

NAME = "customer_churn"


def core_reproduce(store: Store, number: int) -> Reproduction:
    """Make release ``customer_churn@number`` again, and the model trained on it if there is one.

    Args:
        store: The store that has it; it is read only.
        number: The release's.

    Raises:
        ObjectNotFoundError: There is no such release. No retry.
        ConfigError: A step is unknown here. No retry.
        StoreError: The store cannot be read.
    """
    release = read_release(store, NAME, number)
    with tempfile.TemporaryDirectory(prefix="airnub-reproduce-") as folder:
        work = open_store(Path(folder, "store").as_uri(), durability="none")
        return _reproduce(store, release, work)


def _reproduce(store: Store, release: Release, work: Store) -> Reproduction:
    made = reproduce_data(store, release, work, REPLAYS)
    version = trained_on(store, release)
    training = _training(store, version) if version else None
    metrics = _train_again(version, training, work) if version and training else ()
    other_code = [_name(training)] if training and _is_other(training) else []
    return Reproduction(
        release=f"{NAME}@{release.number}",
        compared=(*made.compared, *metrics),
        other_code=(*made.other_code, *other_code),
        made_by=release.producer,
        model=f"{version.name} version {version.number}" if version else None,
    )


def trained_on(store: Store, release: Release) -> ModelVersion | None:
    """Find the newest version of the model that was trained on a release, if there is one.

    Raises:
        StoreError: The registry cannot be read.
    """
    known = ModelRegistry(store, release.name).versions()
    found = [each for each in known if each.release == release.number]
    return found[-1] if found else None


def _training(store: Store, version: ModelVersion) -> DerivedManifest:
    manifest = store.manifest(version.manifest)
    if not isinstance(manifest, DerivedManifest):
        raise CorruptObjectError(f"{version.manifest} is no training", "Run `airnub store verify`")
    return manifest


def _is_other(training: DerivedManifest) -> bool:
    return str(training.parameters["code"]) != training_code()


def _train_again(
    version: ModelVersion, manifest: DerivedManifest, work: Store
) -> tuple[Compared, ...]:
    spec = ModelSpec.model_validate(manifest.parameters["spec"])
    features = read_input(work, spec.features, spec.file)
    trained = train(read_parquet(work.read_blob(features.blob)), spec)
    again = trained.evaluation.best.numbers()
    step = _name(manifest)
    return (
        Compared(
            step=step,
            what="model file",
            released=version.model_file.digest,
            again=trained.evaluation.model_file,
            # Another version of a library may write the same model otherwise: metrics decide.
            verdict="same"
            if trained.evaluation.model_file == version.model_file.digest
            else "other bytes",
        ),
        *compare_metrics(step, version.metrics, again, version.tolerance),
    )


def _split(work: Store, manifest: DerivedManifest) -> DerivedResult:
    step = SplitStep.model_validate(
        {"source_id": manifest.source_id, "input": _ref(manifest.inputs[0])}
    )
    return core_split_table(work, step, namespace=manifest.namespace)


def _validate(work: Store, manifest: DerivedManifest) -> DerivedResult:
    refs = list(dict.fromkeys(map(_ref, manifest.inputs)))
    parts = tuple(ref for ref in refs if ref.partition("/")[2] in SPLITS)
    step = ValidationStep(
        parts=parts,
        feeds=tuple(ref for ref in refs if ref not in parts),
        drop_identical_sources=manifest.parameters["drop_identical_sources"],
    )
    return core_validate_sources(work, step, namespace=manifest.namespace)


def _prepare(work: Store, manifest: DerivedManifest) -> DerivedResult:
    step = PreparationStep(input=_ref(manifest.inputs[0]))
    return core_prepare_customers(work, step, namespace=manifest.namespace)


def _build_features(work: Store, manifest: DerivedManifest) -> DerivedResult:
    step = ChurnFeatureStep.model_validate(manifest.parameters["step"])
    return core_build_churn_features(work, step, namespace=manifest.namespace)


def _ref(found: DerivedInput) -> str:
    return f"{found.namespace}/{found.source_id}"


def _name(manifest: DerivedManifest) -> str:
    return f"{manifest.namespace}/{manifest.source_id}"


REPLAYS: Mapping[str, Replay] = {
    **dict.fromkeys(SPLITS, _split),
    "validated": _validate,
    "prepared": _prepare,
    "customer": _build_features,
}
"""How each step is run again, by the source id that it writes."""
