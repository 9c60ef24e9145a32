"""What a run of the category makes of features and a champion."""

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn.inference.batch_scoring.config import CATEGORY, BatchScoringConfig
from flows.dept_customer_churn.inference.batch_scoring.score_customers_flow_dept_customer_churn import (  # noqa: E501
    score_customers_flow_dept_customer_churn,
)
from tests.integration.departments.kit import StoreOf, shown
from tests.model_kit import FEATURES, MODEL, prepared, put_features, with_features

CONFIG = BatchScoringConfig(
    source_id="scores", model=MODEL, features=FEATURES, table="gold/churn_scores"
)


def test_all_customers_are_scored_once_and_the_riskiest_shown(store: Store) -> None:
    (first,) = score_customers_flow_dept_customer_churn(CONFIG)
    (second,) = score_customers_flow_dept_customer_churn(CONFIG)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    scores = Lake.of(store).read("gold/churn_scores")
    riskiest = scores.sort_values("probability", ascending=False).iloc[0]
    champion = ModelRegistry(store, MODEL).champion()
    assert champion is not None
    assert len(scores) == 600
    assert set(scores["model_digest"]) == {champion.model_file.digest}
    artifact = shown(artifact_key(CATEGORY.deployment, "top"))
    assert "## The 20 most at risk" in artifact
    assert riskiest["customerID"] in artifact
    assert "| 600 | 600 | 0 | 0 |" in shown(artifact_key(CATEGORY.deployment))


def test_without_a_champion_the_run_fails_and_says_what_to_do(
    limits: None, store_of: StoreOf
) -> None:
    store = store_of(CATEGORY.department)
    put_features(store, with_features(prepared(100)))

    state = score_customers_flow_dept_customer_churn(CONFIG, return_state=True)

    assert state.is_failed()
    assert "The model customer_churn has no champion" in (state.message or "")
    assert Lake.of(store).tables() == ["features/customer"]
