"""Customers as the first stages leave them: prepared, and as features, without a server."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TypeVar

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.churn.feature_step import core_build_churn_features
from airnub_prefect_starter.core.churn.preparation import core_prepare_customers
from airnub_prefect_starter.core.churn.validation import core_validate_sources
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn.transformation.feature_store.config import (
    CATEGORY,
    FeatureStoreConfig,
)
from tests.churn_kit import PREPARATION, PREPARED, VALIDATED, VALIDATION, ingest

Config = TypeVar("Config", bound=ConfigModel)
ROOT = Path(__file__).parents[1]


def own_config(file: PurePosixPath, model: type[Config]) -> Config:
    """Load what the department's own file says of a category."""
    settings = load_settings({"AIRNUB_PROJECT_ROOT": str(ROOT)})
    return load_yaml(ROOT / file, model, settings=settings)


def prepare(store: Store, table: bytes, folder: Path) -> None:
    """Do what the first three stages do: the table, checked and merged."""
    ingest(store, table, folder)
    core_validate_sources(store, VALIDATED, namespace=VALIDATION)
    core_prepare_customers(store, PREPARED, namespace=PREPARATION)


def build(store: Store, table: bytes, folder: Path) -> DerivedResult:
    """Do what the first four stages do, with the features of the department's own file."""
    prepare(store, table, folder)
    return build_features(store)


def build_features(store: Store) -> DerivedResult:
    """Do what the fourth stage does with what is prepared."""
    step = own_config(CATEGORY.config_file, FeatureStoreConfig)
    return core_build_churn_features(store, step, namespace=CATEGORY.namespace)
