"""What a table of features is: its columns by group, what they mean and the values they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from airnub_prefect_starter.core.features.articles import FeatureModel, Features, Group
from airnub_prefect_starter.core.features.rounding import significant
from airnub_prefect_starter.core.manifest_models import DigestText, Record


class FeatureFacts(Record):
    """One feature; the numbers are in its own units, before it was scaled."""

    name: str
    group: Group
    dtype: str
    description: str
    minimum: float
    mean: float
    maximum: float
    nulls: int
    scaled: bool


class FeatureMetadata(Record):
    """A table of features and what it was fitted on."""

    rows: int
    fitted_on_rows: int
    table_digest: DigestText
    groups: Mapping[str, tuple[str, ...]]
    features: tuple[FeatureFacts, ...]
    dropped: Mapping[str, str]

    def to_json(self) -> bytes:
        """Serialise, for people too."""
        return self.model_dump_json(indent=1).encode()


def describe(model: FeatureModel, features: Features, digest: str) -> FeatureMetadata:
    """Describe features: their groups, units and values, and the columns that were dropped."""
    texts = model.descriptions()
    every = {name: what for group in texts.values() for name, what in group.items()}
    return FeatureMetadata(
        rows=len(features.table),
        fitted_on_rows=model.trained_rows,
        table_digest=digest,
        groups={group: tuple(frame) for group, frame in features.natural.items()},
        features=tuple(
            _facts(model, group, frame[name], every[name])
            for group, frame in features.natural.items()
            for name in map(str, frame.columns)
        ),
        dropped={name: every[name] for name in model.dropped},
    )


def group_table(metadata: FeatureMetadata) -> pd.DataFrame:
    """Count the features of each group; columns group, features, nulls."""
    return pd.DataFrame(
        [
            {"group": group, "features": len(names), "nulls": _nulls(metadata, group)}
            for group, names in metadata.groups.items()
        ]
    )


def feature_table(metadata: FeatureMetadata, group: str) -> pd.DataFrame:
    """List the features of a group with their values."""
    return pd.DataFrame(
        [
            {
                "feature": each.name,
                "min": each.minimum,
                "mean": each.mean,
                "max": each.maximum,
                "nulls": each.nulls,
                "what it is": each.description,
            }
            for each in metadata.features
            if each.group == group
        ]
    )


def _nulls(metadata: FeatureMetadata, group: str) -> int:
    return sum(each.nulls for each in metadata.features if each.group == group)


def _facts(
    model: FeatureModel, group: Group, values: pd.Series[Any], description: str
) -> FeatureFacts:
    numbers = values.astype("float64")
    name = str(values.name)
    return FeatureFacts(
        name=name,
        group=group,
        dtype=str(values.dtype),
        description=description,
        minimum=significant(numbers.min()),
        mean=significant(numbers.mean()),
        maximum=significant(numbers.max()),
        nulls=int(values.isna().sum()),
        scaled=name in model.scaler.columns,
    )
