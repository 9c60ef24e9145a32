"""What a run of the category makes of features, and how one of a doubled table ends."""

import sys
from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.core.ml.registry import Aliases, ModelRegistry
from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn.model_building.training.config import CATEGORY, TrainingConfig
from flows.dept_customer_churn.model_building.training.train_models_flow_dept_customer_churn import (  # noqa: E501
    train_models_flow_dept_customer_churn,
)
from tests.integration.departments.kit import StoreOf, shown
from tests.ml_kit import FOREST, SPEC, customers, spec, store_features

KEY = "customer-churn-model-building-training"
CONFIG = TrainingConfig(models=(SPEC,))


def test_the_best_candidate_becomes_champion(
    store_of: StoreOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the package no server is asked: the run goes on, and says so.
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    store = store_of(CATEGORY.department)
    store_features(store, customers())

    (first,) = train_models_flow_dept_customer_churn(CONFIG)
    (second,) = train_models_flow_dept_customer_churn(CONFIG)

    assert (first.role, first.version.number) == ("champion", 1)
    assert second.version == first.version
    assert "data:image/png;base64," in shown(f"{KEY}-candidates")
    assert "All 7 gates are passed" in shown(f"{KEY}-candidates")
    assert " -d customer_churn -o report.html`" in shown(f"{KEY}-candidates")
    assert "Champion: leavers version 1" in shown(f"{KEY}-registry")
    assert "mlflow-skinny is not installed" in shown(f"{KEY}-registry")


def test_a_doubled_table_shows_its_accuracy_and_is_stopped(store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    store_features(store, customers())
    (before,) = train_models_flow_dept_customer_churn(CONFIG)
    store_features(store, pd.concat([customers(), customers()]))
    forest = spec(candidates=(*SPEC.candidates, FOREST))

    state = train_models_flow_dept_customer_churn(
        TrainingConfig(models=(forest,)), return_state=True
    )

    assert state.is_failed()
    said = state.message or ""
    assert "GateError: The model leavers does not pass" in said
    assert "key_overlap is" in said
    assert "**forest**" in shown(f"{KEY}-candidates")
    assert "**Stopped: " in shown(f"{KEY}-candidates")
    assert _registered(store) == ([before.version], Aliases(champion=1))


def _registered(store: Store) -> tuple[list[Any], Aliases]:
    registry = ModelRegistry(store, SPEC.name)
    return registry.versions(), registry.aliases()
