"""Prepared customers to their table of features."""

from __future__ import annotations

from functools import partial

from airnub_prefect_starter.core.churn import columns, features
from airnub_prefect_starter.core.churn.features import ChurnFeatureStep, add_churn_features
from airnub_prefect_starter.core.feature_store.step import Computation, core_build_features
from airnub_prefect_starter.core.manifest_models import DerivedResult, RunInfo
from airnub_prefect_starter.core.store import Store


def core_build_churn_features(
    store: Store, step: ChurnFeatureStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Merge the features of prepared customers into their table.

    Raises:
        StarterError: As for `core_build_features`.
    """
    compute = partial(add_churn_features, options=step.engineered)
    return core_build_features(
        store, step, Computation(compute, (columns, features)), namespace=namespace, run=run
    )
