"""How the features of churn models are computed of what is known of a customer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core.churn.columns import INTERNET_SERVICES
from airnub_prefect_starter.core.churn.features import (
    ENGINEERED,
    ChurnFeatures,
    add_churn_features,
)
from airnub_prefect_starter.core.churn.telco import COLUMNS
from airnub_prefect_starter.core.ml.forms import FeatureBuilder

_NEEDED = ("tenure", "MonthlyCharges", "TotalCharges", *INTERNET_SERVICES)
COMPUTED_OF: Mapping[str, tuple[str, ...]] = dict.fromkeys(ENGINEERED, _NEEDED)
"""They are computed together, so each needs what any of them needs."""

HINTS = {"TotalCharges": "0 for a customer who is new, where the sources leave it empty"}


def churn_builder(parameters: Mapping[str, Any]) -> FeatureBuilder:
    """Give what computes the features as they were in training.

    Args:
        parameters: Of the derivation that made the features a model was trained on: the thresholds
            are among them.

    Raises:
        CorruptObjectError: They are not, or are those of another version of this program. No retry.
    """
    stated = parameters.get("step", {}).get("engineered")
    if stated is None:
        raise CorruptObjectError(
            "The features that the model was trained on state no thresholds",
            "Run the stages transformation and model_building again",
        )
    try:
        options = ChurnFeatures.model_validate(stated)
    except ValidationError as error:
        raise CorruptObjectError(
            f"The thresholds that the model was trained with are unknown here: {error.errors()[0]}",
            "Use the version of this program that trained it, or a later one",
        ) from error
    return FeatureBuilder(
        computed_of=COMPUTED_OF,
        columns={column.name: column for column in COLUMNS},
        hints=HINTS,
        compute=partial(add_churn_features, options=options),
    )
