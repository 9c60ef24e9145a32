"""The five features of the churn document, computed on the units that the rows have.

Before any scaling: a ratio or a product of scaled numbers means nothing. All are functions of one
row, so the same code serves training, batches and single requests.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Self

import pandas as pd
from pydantic import Field, model_validator

from airnub_prefect_starter.core.churn.columns import INTERNET_SERVICES
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.feature_store.config import FeatureStoreStep

ENGINEERED = (
    "charge_ratio",
    "num_optional_services",
    "tenure_charge_interaction",
    "tenure_group",
    "is_high_value",
)


class ChurnFeatures(ConfigModel):
    """Thresholds of the features: stored, and never taken from the rows at hand."""

    tenure_edges_months: tuple[int, ...] = Field(
        default=(12, 24, 48), min_length=1, description="Last month of each group but the last"
    )
    high_value_tenure_months: int = Field(
        default=55, ge=0, description="More than that; the upper quartile of the IBM table"
    )
    high_value_monthly_charges: Decimal = Field(
        default=Decimal("89.85"), ge=0, description="More than that; its upper quartile"
    )

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        edges = (0, *self.tenure_edges_months)
        if any(after <= before for before, after in pairwise(edges)):
            raise ValueError("tenure_edges_months must rise from above 0")
        return self

    @property
    def tenure_groups(self) -> tuple[str, ...]:
        """The names of the groups, such as ``0-12``, ``13-24``, ``25-48``, ``49+``."""
        edges = self.tenure_edges_months
        starts = (0, *(edge + 1 for edge in edges))
        closed = [f"{start}-{end}" for start, end in zip(starts, edges, strict=False)]
        return (*closed, f"{starts[-1]}+")


class ChurnFeatureStep(FeatureStoreStep):
    """The table of features, with the thresholds of the five that are computed."""

    engineered: ChurnFeatures = ChurnFeatures()


def add_churn_features(frame: pd.DataFrame, options: ChurnFeatures) -> pd.DataFrame:
    """Add the five features to prepared rows; nothing is missing or infinite in them.

    Args:
        frame: Rows with ``tenure`` (months), ``MonthlyCharges`` and ``TotalCharges`` (dollars) and
            the six optional services (Yes, No, No internet service); other columns stay.
        options: The thresholds.

    Returns:
        The rows, in their order, with the columns ``ENGINEERED`` last: ``charge_ratio`` (monthly to
        total charges; 1 for who has not been charged yet, as it is after one month),
        ``num_optional_services`` (0 to 6), ``tenure_charge_interaction`` (months times dollars),
        ``tenure_group`` (text) and ``is_high_value`` (0 or 1).
    """
    tenure, monthly, total = frame["tenure"], frame["MonthlyCharges"], frame["TotalCharges"]
    edges = [-1, *options.tenure_edges_months, float("inf")]
    group = pd.cut(tenure.astype("float64"), edges, labels=[*options.tenure_groups])
    high = (tenure > options.high_value_tenure_months) & (
        monthly > float(options.high_value_monthly_charges)
    )
    return frame.assign(
        charge_ratio=(monthly / total.where(total > 0)).fillna(1.0).astype("float64"),
        num_optional_services=sum(
            (frame[name] == "Yes").astype("int64") for name in INTERNET_SERVICES
        ),
        tenure_charge_interaction=(tenure * monthly).astype("float64"),
        tenure_group=group.astype("str"),
        is_high_value=high.astype("int64"),
    )
