"""A store with features of made-up customers and with models that were trained on them, quickly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from airnub_prefect_starter.core.churn.columns import KEY, POSITIVE, TARGET
from airnub_prefect_starter.core.churn.features import ChurnFeatures, add_churn_features
from airnub_prefect_starter.core.churn.synthetic import customers
from airnub_prefect_starter.core.derivation import Derivation, code_digest, commit, read_input
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import SNAPSHOT, take_snapshot
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import DerivedOutput, DerivedResult, RunInfo
from airnub_prefect_starter.core.ml import candidates, model_files
from airnub_prefect_starter.core.ml.candidates import make_pipeline
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion, TrainedModel
from airnub_prefect_starter.core.ml.rows import model_input
from airnub_prefect_starter.core.monitoring.profiles import (
    Profile,
    category_profile,
    number_profile,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import PARQUET, write_parquet

MODEL = "customer_churn"
TABLE = "features/customer"
FEATURES = "transformation.feature_store/customer"
NUMERIC = ("tenure", "MonthlyCharges", "TotalCharges", "charge_ratio", "num_optional_services")
CATEGORICAL = ("gender", "SeniorCitizen", "Contract", "InternetService", "tenure_group")
OPTIONS = ChurnFeatures(tenure_edges_months=(10, 30))
"""Other thresholds than the usual ones: who ignores those of the training is found out."""


def prepared(count: int = 1200, seed: int = 1) -> pd.DataFrame:
    """Make customers as the stage preparation gives them."""
    frame = pd.DataFrame(customers(count, seed))
    return frame.assign(
        SeniorCitizen=frame["SeniorCitizen"].astype("int64"),
        tenure=frame["tenure"].astype("int64"),
        MonthlyCharges=frame["MonthlyCharges"].astype("float64"),
        TotalCharges=pd.to_numeric(frame["TotalCharges"], errors="coerce").fillna(0.0),
    ).sort_values(KEY, ignore_index=True)


def with_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the features, by the kit's thresholds."""
    return add_churn_features(frame, OPTIONS)


def put_features(store: Store, frame: pd.DataFrame, *, computed: bool = True) -> DerivedResult:
    """Store rows of features as the stage transformation does: table, profile and Parquet.

    Args:
        store: Where they go.
        frame: All rows.
        computed: Whether the step says by which thresholds the features were computed.
    """
    overwrite(Lake.of(store), TABLE, frame, WriteInfo(RunInfo(), "sha256:test"), schema_change=True)
    snapshot = take_snapshot(Lake.of(store), TABLE, key=(KEY,))
    namespace, _, source_id = FEATURES.partition("/")
    parameters = {
        "version": snapshot.version,
        "step": {"engineered": OPTIONS.model_dump(mode="json")} if computed else {},
    }
    files = {
        "features.customer.json": (snapshot.canonical(), SNAPSHOT),
        "profile.json": (profile_of(frame).model_dump_json().encode(), "application/json"),
        "features.parquet": (write_parquet(frame), PARQUET),
    }
    outputs = [
        DerivedOutput(name=name, blob=store.put_bytes(raw, media_type=kind)[0])
        for name, (raw, kind) in files.items()
    ]
    derivation = Derivation(namespace, source_id, (), parameters)
    return commit(store, derivation, outputs, table_digest=snapshot.digest, run=RunInfo())


def profile_of(frame: pd.DataFrame) -> Profile:
    """Profile the features that models of the kit use."""
    return Profile(
        table=TABLE,
        reference="1.0",
        columns={},
        numbers={
            name: number_profile(frame[name].to_numpy(dtype=np.float64))
            for name in NUMERIC
            if name in frame
        },
        categories={
            name: category_profile(Counter(frame[name].astype(str))) for name in CATEGORICAL
        },
    )


def put_model(
    store: Store,
    frame: pd.DataFrame,
    *,
    numeric: tuple[str, ...] = NUMERIC,
    categorical: tuple[str, ...] = CATEGORICAL,
    **changes: Any,
) -> ModelVersion:
    """Train a logistic regression on three of four rows that are in the store; register it."""
    known: Mapping[str, tuple[str, ...]] = {
        name: tuple(sorted(frame[name].astype(str).unique())) for name in categorical
    }
    pipeline = make_pipeline("logistic_regression", numeric, known, seed=42)
    seen = frame[np.arange(len(frame)) % 4 > 0]
    truth = (seen[TARGET] == POSITIVE).to_numpy()
    file = model_files.dump(pipeline.fit(model_input(seen, numeric, categorical), truth))
    blob, _ = store.put_bytes(file, media_type=model_files.SKOPS)
    held_out, _ = store.put_bytes(write_parquet(frame[[KEY]][::4]), media_type=PARQUET)
    inputs = (read_input(store, FEATURES, "features.parquet"),)
    made = Derivation(
        "model_building.training", "candidates", inputs, {"features": [*numeric, *categorical]}
    )
    card, _ = store.put_bytes(b"# The card", media_type="text/markdown")
    outputs = [
        DerivedOutput(name="logistic.skops", blob=blob),
        DerivedOutput(name="model_card.md", blob=card),
        DerivedOutput(name="held_out.parquet", blob=held_out),
    ]
    result = commit(store, made, outputs, run=RunInfo())
    given: dict[str, Any] = {
        "name": MODEL,
        "kind": "logistic_regression",
        "model_file": blob,
        "key": KEY,
        "target": TARGET,
        "positive": POSITIVE,
        "numeric": numeric,
        "categorical": known,
        "threshold": 0.3,
        "metrics": {"auc": 0.84},
        "manifest": result.manifest,
        "trained_on": inputs,
        "code": code_digest(candidates),
        "tolerance": 0.002,
    }
    trained = TrainedModel(**(given | changes))
    return ModelRegistry(store, trained.name).register(trained)


def put_champion(store: Store, frame: pd.DataFrame, **changes: Any) -> ModelVersion:
    """Register a model and make it the champion, whichever was."""
    registry = ModelRegistry(store, MODEL)
    version = put_model(store, frame, **changes)
    registry.promote(version, expected=registry.aliases().champion)
    return version
