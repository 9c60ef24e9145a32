"""A small feature table: visitors, how often they come, and whether they buy."""

from __future__ import annotations

import sys

import pandas as pd

from airnub_prefect_starter.core.derivation import Derivation, commit
from airnub_prefect_starter.core.feature_store.config import FeatureStoreStep
from airnub_prefect_starter.core.feature_store.registry import Feature
from airnub_prefect_starter.core.feature_store.step import Computation, core_build_features
from airnub_prefect_starter.core.manifest_models import DerivedOutput, DerivedResult, RunInfo
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import PARQUET, write_parquet

NAMESPACE, TABLE = "transformation.feature_store", "features/visitor"


def feature(name: str, data_type: str, **more: object) -> Feature:
    entry = {"name": name, "data_type": data_type, "description": name, "source": "visits"}
    return Feature.model_validate({**entry, "owner": "@data", **more})


STEP = FeatureStoreStep(
    source_id="visitor",
    input="preparation.visits/prepared",
    output="prepared.parquet",
    table=TABLE,
    key="visitor",
    event_date="2026-01-01",
    version="1.0",
    features=(feature("visits", "int"), feature("weekly", "float"), feature("plan", "string")),
    label=feature("bought", "bool"),
)


def prepared(*visits: int, first: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "visitor": [f"v{number}" for number in range(first, first + len(visits))],
            "visits": visits,
            "plan": ["free" if number < 5 else "paid" for number in visits],
            "bought": [number > 5 for number in visits],
        }
    )


def put_prepared(store: Store, frame: pd.DataFrame) -> None:
    """Store rows as the stage before does, beside an output that is not for this step."""
    report, _ = store.put_bytes(b"{}", media_type="application/json")
    rows, _ = store.put_bytes(write_parquet(frame), media_type=PARQUET)
    outputs = [
        DerivedOutput(name="report.json", blob=report),
        DerivedOutput(name="prepared.parquet", blob=rows),
    ]
    derivation = Derivation("preparation.visits", "prepared", (), {"rows": rows.digest})
    commit(store, derivation, outputs, run=RunInfo())


def compute(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(weekly=frame["visits"] / 4)


def build(store: Store, step: FeatureStoreStep = STEP) -> DerivedResult:
    computation = Computation(compute, (sys.modules[__name__],))
    return core_build_features(store, step, computation, namespace=NAMESPACE)
