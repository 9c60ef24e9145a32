"""The published table: what its models are worth, and what two copies of it pretend to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import GateError
from airnub_prefect_starter.core.churn.feature_step import core_build_churn_features
from airnub_prefect_starter.core.churn.preparation import core_prepare_customers
from airnub_prefect_starter.core.churn.validation import core_validate_sources
from airnub_prefect_starter.core.ml.config import ModelSpec, Split
from airnub_prefect_starter.core.ml.evaluation import CandidateResult, Evaluation
from airnub_prefect_starter.core.ml.promotion import core_register_model
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.ml.step import core_train_model, read_evaluation
from airnub_prefect_starter.core.store import Store, open_store
from flows.dept_customer_churn.model_building.training.config import CATEGORY, TrainingConfig
from flows.dept_customer_churn.transformation.feature_store.config import CATEGORY as FEATURES
from flows.dept_customer_churn.transformation.feature_store.config import FeatureStoreConfig
from tests.churn_kit import (
    PREPARATION,
    PREPARED,
    REAL_TABLE,
    VALIDATED,
    VALIDATION,
    ingest,
    needs_real_table,
)
from tests.features_kit import own_config

pytestmark = needs_real_table
ENGINEERED = {
    *("charge_ratio", "num_optional_services", "tenure_charge_interaction"),
    *("tenure_group", "is_high_value"),
}


def _own_spec(*kinds: str) -> ModelSpec:
    """Give the department's own model, of some candidates."""
    (found,) = own_config(CATEGORY.config_file, TrainingConfig).models
    kept = tuple(each for each in found.candidates if each.kind in kinds)
    return found.model_copy(update={"candidates": kept, "release": None})


def _without_engineered(spec: ModelSpec) -> ModelSpec:
    return spec.model_copy(
        update={
            "numeric": tuple(name for name in spec.numeric if name not in ENGINEERED),
            "categorical": tuple(name for name in spec.categorical if name not in ENGINEERED),
            "segments": (),
        }
    )


def _build(store: Store, folder: Path, *, drop_copies: bool) -> None:
    ingest(store, Path(str(REAL_TABLE)).read_bytes(), folder)
    validation = VALIDATED.model_copy(update={"drop_identical_sources": drop_copies})
    core_validate_sources(store, validation, namespace=VALIDATION)
    core_prepare_customers(store, PREPARED, namespace=PREPARATION)
    step = own_config(FEATURES.config_file, FeatureStoreConfig)
    core_build_churn_features(store, step, namespace=FEATURES.namespace)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("real")
    found = open_store((folder / "store").as_uri(), durability="none")
    _build(found, folder, drop_copies=True)
    return found


def _of_kind(found: Evaluation, kind: str) -> CandidateResult:
    return next(each for each in found.candidates if each.kind == kind)


def test_the_numbers_are_those_that_are_known(store: Store) -> None:
    spec = _own_spec("dummy", "logistic_regression", "hist_gradient_boosting")
    result = core_train_model(store, spec, namespace=CATEGORY.namespace)
    found = read_evaluation(store, result)
    promotion = core_register_model(store, result)

    assert (found.rows, found.positives) == (7043, 1869)
    assert (found.winner, found.missed) == ("logistic-regression", ())
    assert found.best.cv_auc == pytest.approx(0.8495, abs=0.002)
    assert found.best.test.auc == pytest.approx(0.848, abs=0.003)
    assert found.best.test.recall_at_20 == pytest.approx(0.50, abs=0.02)
    assert _of_kind(found, "hist_gradient_boosting").cv_auc == pytest.approx(0.847, abs=0.003)
    assert found.overlap.shared_keys == 0
    assert found.overlap.shared_rows <= 14
    assert promotion.role == "champion"


def test_without_the_five_features_it_is_a_little_worse(store: Store) -> None:
    spec = _without_engineered(_own_spec("dummy", "logistic_regression"))
    result = core_train_model(store, spec, namespace=CATEGORY.namespace)
    assert read_evaluation(store, result).best.cv_auc == pytest.approx(0.845, abs=0.002)


def test_two_copies_pretend_to_be_excellent_and_are_stopped(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri(), durability="none")
    _build(store, tmp_path, drop_copies=False)
    # Fewer folds take less time and change nothing on the rows held out.
    spec = _own_spec("dummy", "random_forest").model_copy(update={"split": Split(folds=2)})
    result = core_train_model(store, spec, namespace=CATEGORY.namespace)
    found = read_evaluation(store, result)

    assert found.rows == 14_086
    assert found.overlap.test_rows == 2818
    assert found.best.test.at_half.accuracy == pytest.approx(0.955, abs=0.01)
    assert found.best.test.auc == pytest.approx(0.98, abs=0.005)
    with pytest.raises(GateError, match=r"key_overlap is 22\d\d, at most 0; row_overlap is 0\.8"):
        core_register_model(store, result)
    assert ModelRegistry(store, spec.name).versions() == []
