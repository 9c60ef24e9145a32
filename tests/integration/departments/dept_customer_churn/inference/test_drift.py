"""The whole stage, with customers like those of the training and with others."""

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn.inference.ab_comparison.config import AbComparisonConfig
from flows.dept_customer_churn.inference.batch_scoring.config import BatchScoringConfig
from flows.dept_customer_churn.inference.config import InferenceConfig
from flows.dept_customer_churn.inference.drift.config import CATEGORY, DriftConfig
from flows.dept_customer_churn.inference_flow_dept_customer_churn import (
    STAGE,
    inference_flow_dept_customer_churn,
)
from tests.integration.departments.kit import shown
from tests.model_kit import FEATURES, MODEL, prepared, put_features, with_features

_COMMON = {"model": MODEL, "features": FEATURES}
CONFIG = InferenceConfig(
    batch_scoring=BatchScoringConfig(source_id="scores", table="gold/churn_scores", **_COMMON),
    ab_comparison=AbComparisonConfig(source_id="comparison", experiment="test", **_COMMON),
    drift=DriftConfig(source_id="drift", **_COMMON),
)


def test_what_has_drifted_fails_the_run_after_all_is_kept_and_told(store: Store) -> None:
    sound = inference_flow_dept_customer_churn(CONFIG, return_state=True)
    features = with_features(prepared(600))
    put_features(store, features[features["Contract"] != "Two year"])
    drifted = inference_flow_dept_customer_churn(CONFIG, return_state=True)

    assert sound.is_completed(), sound.message
    assert drifted.is_failed()
    assert "drift of features/customer Contract: PSI" in (drifted.message or "")
    assert len(Lake.of(store).read("gold/churn_scores")) < 600
    assert "**critical**" in shown(artifact_key(CATEGORY.deployment, "report"))
    assert " -d customer_churn -o drift.html`" in shown(artifact_key(CATEGORY.deployment, "report"))
    assert "drift features/customer Contract" in shown(artifact_key(STAGE.deployment, "alerts"))
    kept = Lake.of(store).read("ops/alerts")
    assert set(kept[kept["column"] == "Contract"]["level"]) == {"critical"}
