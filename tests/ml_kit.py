"""A small table from which something can be learned, and a model of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from airnub_prefect_starter.core.derivation import Derivation, commit
from airnub_prefect_starter.core.manifest_models import DerivedOutput, DerivedResult, RunInfo
from airnub_prefect_starter.core.ml.config import Candidate, ModelSpec, Split
from airnub_prefect_starter.core.ml.registry import TrainedModel
from airnub_prefect_starter.core.releases.dvc import DvcFile
from airnub_prefect_starter.core.releases.records import Release, ReleasedDataset
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.commits import PRODUCER
from airnub_prefect_starter.core.tables import write_parquet

TRAINING = "model_building.training"
DUMMY = Candidate(name="dummy", kind="dummy")
LOGISTIC = Candidate(name="logistic", kind="logistic_regression")
BOOSTING = Candidate(name="boosting", kind="hist_gradient_boosting")
FOREST = Candidate(name="forest", kind="random_forest")
SPEC = ModelSpec(
    name="leavers",
    source_id="candidates",
    features="transformation.feature_store/customer",
    key="customer",
    target="left",
    positive="Yes",
    numeric=("months", "charges"),
    categorical=("contract",),
    slices=("senior",),
    segments=("contract",),
    candidates=(DUMMY, LOGISTIC),
    split=Split(folds=2),
    purpose="Says who will leave.",
    limits=("It is of a made-up table.",),
)


def spec(**changes: Any) -> ModelSpec:
    """Give the specification with some fields changed."""
    return ModelSpec.model_validate({**SPEC.model_dump(), **changes})


def customers(count: int = 600, *, seed: int = 1, signal: float = 2.5) -> pd.DataFrame:
    """Make customers; the greater the signal, the more of who left is in the features."""
    random = np.random.default_rng(seed)
    months = random.integers(0, 72, count)
    contract = random.choice(["monthly", "yearly"], count, p=[0.6, 0.4])
    wish = signal * ((contract == "monthly") - months / 36) + random.logistic(size=count)
    return pd.DataFrame(
        {
            "customer": [f"c{number:05d}" for number in random.permutation(count)],
            "months": months,
            "charges": random.normal(60, 20, count).round(2),
            "contract": contract,
            "senior": random.integers(0, 2, count),
            "left": np.where(wish > 0, "Yes", "No"),
        }
    )


def store_features(store: Store, frame: pd.DataFrame) -> DerivedResult:
    """Store rows as the feature store does."""
    namespace, source_id = SPEC.features.split("/")
    blob, _ = store.put_bytes(write_parquet(frame))
    output = DerivedOutput(name=SPEC.file, blob=blob)
    return commit(store, Derivation(namespace, source_id, (), {}), [output], run=RunInfo())


def store_release(store: Store, ref: str, digest: str, *, number: int) -> None:
    """Store a release that has one file, of a digest."""
    file = DvcFile(name=SPEC.file, md5="0" * 32, sha256=digest, size=1)
    release = Release(
        name="leavers",
        number=number,
        created_at=store.clock(),
        content=digest,
        datasets=(ReleasedDataset(name=SPEC.file, md5=file.md5, files=(file,), refs=()),),
        sources=(),
        producer=PRODUCER,
    )
    namespace, source_id = ref.split("/")
    blob, _ = store.put_bytes(release.canonical())
    output = DerivedOutput(name="release.json", blob=blob)
    commit(store, Derivation(namespace, source_id, (), {}), [output], run=RunInfo())


def candidate(
    store: Store, name: str = "first", *, auc: float = 0.8 + 0.04, ref: str | None = None
) -> TrainedModel:
    """Store a training of that name, and give its best candidate."""
    blob, _ = store.put_bytes(name.encode())
    derivation = Derivation(TRAINING, ref or name, (), {"training": name})
    made = commit(store, derivation, [DerivedOutput(name="m.skops", blob=blob)], run=RunInfo())
    return TrainedModel(
        name="leavers",
        kind="logistic_regression",
        model_file=blob,
        key="customer",
        target="left",
        positive="Yes",
        numeric=("months",),
        categorical={"contract": ("monthly", "yearly")},
        threshold=0.3,
        metrics={"auc": auc},
        manifest=made.manifest,
        trained_on=(),
        code=f"sha256:{'0' * 64}",
        tolerance=0.002,
    )
