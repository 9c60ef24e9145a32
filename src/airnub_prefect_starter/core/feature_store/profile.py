"""The reference profile of a feature table: what drift is measured against, without the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from airnub_prefect_starter.core.feature_store.registry import FeatureRegistry
from airnub_prefect_starter.core.monitoring.profiles import (
    Profile,
    category_profile,
    number_profile,
)

_NUMBERS = ("int", "float")


def profile_features(frame: pd.DataFrame, registry: FeatureRegistry, *, table: str) -> Profile:
    """Describe every feature: deciles of numbers, shares of categories.

    Args:
        frame: Rows with the registry's columns; their order makes no difference.
        registry: Says which column is of which kind.
        table: The table's name, which the profile states.
    """
    numbers = [each.name for each in registry.features if each.data_type in _NUMBERS]
    others = [each.name for each in registry.features if each.data_type not in _NUMBERS]
    return Profile(
        table=table,
        reference=registry.version,
        columns={each.name: each.data_type for each in registry.features},
        # Sorted, since the sum of floats depends on the order of its parts.
        numbers={
            name: number_profile(np.sort(frame[name].to_numpy(dtype=np.float64)))
            for name in numbers
        },
        categories={
            name: category_profile(
                {str(value): int(rows) for value, rows in frame[name].value_counts().items()}
            )
            for name in others
        },
    )
