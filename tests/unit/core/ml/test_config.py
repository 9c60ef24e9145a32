from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airnub_prefect_starter.core.manifest_models import canonical_json
from airnub_prefect_starter.core.ml.config import ModelSpec
from tests.ml_kit import DUMMY, FOREST, LOGISTIC, SPEC, spec


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"numeric": ("months", "customer")}, "'customer' is key or target"),
        ({"categorical": ("left",)}, "'left' is key or target"),
        ({"categorical": ("months",)}, "each once"),
        ({"numeric": (), "categorical": ()}, "must name some columns"),
        ({"candidates": (LOGISTIC, FOREST)}, "must be the dummy"),
        ({"candidates": (DUMMY, LOGISTIC, LOGISTIC)}, "same name"),
        ({"candidates": (DUMMY,)}, "at least 2"),
        ({"gates": {"min_auc": 1.5}}, "less than or equal to 1"),
        ({"gates": {"min_acu": 0.5}}, "Extra inputs"),
    ],
)
def test_refuses_what_does_not_fit_together(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**changes)


def test_goes_through_a_manifest_and_back() -> None:
    recorded = SPEC.parameters()

    assert canonical_json(recorded)  # no floats
    assert ModelSpec.model_validate(recorded) == SPEC
