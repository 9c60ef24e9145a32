import pandas as pd
import pytest

from airnub_prefect_starter.core.churn import feature_step, reproduction
from airnub_prefect_starter.core.churn.columns import KEY, POSITIVE, TARGET
from airnub_prefect_starter.core.churn.feature_step import core_build_churn_features
from airnub_prefect_starter.core.churn.features import ChurnFeatures, add_churn_features
from airnub_prefect_starter.core.churn.reproduction import core_reproduce
from airnub_prefect_starter.core.ml.config import Candidate, Gates, ModelSpec, Split
from airnub_prefect_starter.core.ml.promotion import core_register_model
from airnub_prefect_starter.core.ml.step import core_train_model
from airnub_prefect_starter.core.releases.release import core_release_datasets
from airnub_prefect_starter.core.store import Store, open_store
from flows.dept_customer_churn.transformation.feature_store.config import (
    CATEGORY as FEATURES,
)
from flows.dept_customer_churn.transformation.feature_store.config import FeatureStoreConfig
from flows.dept_customer_churn.versioning.dvc_release.config import CATEGORY, DvcReleaseConfig
from tests.churn_kit import TABLE
from tests.features_kit import build, own_config

SPEC = ModelSpec(
    name="customer_churn",
    source_id="candidates",
    features="transformation.feature_store/customer",
    release=f"{CATEGORY.namespace}/release",
    key=KEY,
    target=TARGET,
    positive=POSITIVE,
    numeric=("tenure", "MonthlyCharges"),
    categorical=("Contract",),
    candidates=(
        Candidate(name="dummy", kind="dummy"),
        Candidate(name="logistic", kind="logistic_regression"),
    ),
    split=Split(folds=2),
    gates=Gates(
        max_row_overlap=1, min_auc=0, min_gain_over_dummy=0, max_train_test_gap=1, min_slice_auc=0
    ),
    purpose="Says who will leave.",
    limits=("It is of a made-up table.",),
)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give a store with a release of each of two days, and no model."""
    folder = tmp_path_factory.mktemp("released")
    store = open_store((folder / "store").as_uri(), durability="none")
    build(store, TABLE, folder)
    config = own_config(CATEGORY.config_file, DvcReleaseConfig)
    core_release_datasets(store, config, namespace=CATEGORY.namespace)
    today = own_config(FEATURES.config_file, FeatureStoreConfig)
    tomorrow = today.model_copy(update={"event_date": "2030-01-01"})
    core_build_churn_features(store, tomorrow, namespace=FEATURES.namespace)
    core_release_datasets(store, config, namespace=CATEGORY.namespace)
    return store


def test_other_features_are_told_and_a_release_needs_no_model(
    released: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(frame: pd.DataFrame, *, options: ChurnFeatures) -> pd.DataFrame:
        return add_churn_features(frame, options).assign(charge_ratio=0.0)

    monkeypatch.setattr(feature_step, "add_churn_features", other)
    found = core_reproduce(released, 1)

    assert not found.is_equal
    assert {each.what for each in found.compared if not each.matches} == {
        "features.customer.json",
        "profile.json",
        "features.parquet",
    }
    assert (found.model, found.other_code) == (None, ())


def test_a_release_of_an_earlier_day_is_the_same_when_made_again(released: Store) -> None:
    found = core_reproduce(released, 1)

    assert found.is_equal
    assert {each.verdict for each in found.compared} == {"same"}
    assert "features.customer.json" in {each.what for each in found.compared}


def test_data_and_model_are_the_same_when_made_again_and_other_code_is_told(
    released: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = core_train_model(released, SPEC, namespace="model_building.training")
    core_register_model(released, trained)
    monkeypatch.setattr(reproduction, "training_code", lambda: f"sha256:{'0' * 64}")
    found = core_reproduce(released, 2)

    assert {each.verdict for each in found.compared} == {"same"}
    made = {each.what for each in found.compared}
    assert {"customers.csv", "prepared.parquet", "features.parquet", "model file", "auc"} <= made
    assert found.is_equal
    assert found.model == "customer_churn version 1"
    assert found.other_code == ("model_building.training/candidates",)
