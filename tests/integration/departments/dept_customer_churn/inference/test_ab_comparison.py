"""What a run of the category says with and without a challenger."""

from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn.inference.ab_comparison.compare_models_flow_dept_customer_churn import (  # noqa: E501
    compare_models_flow_dept_customer_churn,
)
from flows.dept_customer_churn.inference.ab_comparison.config import CATEGORY, AbComparisonConfig
from tests.integration.departments.kit import shown
from tests.model_kit import FEATURES, MODEL, prepared, put_champion, with_features

CONFIG = AbComparisonConfig(
    source_id="comparison", model=MODEL, features=FEATURES, experiment="test", resamples=100
)
KEY = artifact_key(CATEGORY.deployment, "comparison")


def test_a_challenger_is_compared_once_there_is_one(store: Store) -> None:
    (alone,) = compare_models_flow_dept_customer_churn(CONFIG)
    said = shown(KEY)
    put_champion(store, with_features(prepared(600)), numeric=("tenure",))
    (compared,) = compare_models_flow_dept_customer_churn(CONFIG)
    (again,) = compare_models_flow_dept_customer_churn(CONFIG)

    assert "has no challenger" in said
    assert (alone.outcome, compared.outcome, again.outcome) == ("stored", "stored", "not_modified")
    assert "150 rows that neither model was trained on" in shown(KEY)
