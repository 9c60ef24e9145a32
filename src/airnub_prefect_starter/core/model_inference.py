"""A registered model at work: read with proof, given rows that are checked, giving probabilities.

The one way from a model to a score: the service, batch scoring, the comparison of models and the
search for drift all take it. Features of rows that people send are computed by the functions, and
with the thresholds, that made the features in training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel
from sklearn.pipeline import Pipeline

from airnub_prefect_starter.core.churn.serving import churn_builder
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import DerivedManifest
from airnub_prefect_starter.core.ml.forms import FeatureBuilder, form_of, read_rows
from airnub_prefect_starter.core.ml.lineage import features_of
from airnub_prefect_starter.core.ml.model_files import load
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion
from airnub_prefect_starter.core.ml.rows import Floats, model_input
from airnub_prefect_starter.core.ml.training import positive_scores
from airnub_prefect_starter.core.store import Store

BUILDERS: Mapping[str, Callable[[Mapping[str, Any]], FeatureBuilder]] = {
    "engineered": churn_builder
}
"""Option of the step that made the features in training → how they are computed again, given that
step's parameters. A model whose features were made without any of these takes them as they are."""


class Prediction(ConfigModel):
    """What a model says of one row.

    Attributes:
        id: The row's key, if it was sent.
        probability: Of the value that the model looks for, 0 to 1.
        label: Whether that is no less than the model's threshold.
    """

    id: str | None
    probability: float
    label: bool


@dataclass(frozen=True)
class ServedModel:
    """A version that is ready to score."""

    version: ModelVersion
    form: type[BaseModel]
    pipeline: Pipeline
    builder: FeatureBuilder

    def predict(self, rows: Sequence[object]) -> list[Prediction]:
        """Score rows as people know them, before any feature is computed.

        Raises:
            PayloadError: A row is not of the form; the message names row, field and what is
                allowed. No retry.
        """
        if not rows:
            return []
        sent = read_rows(self.form, rows)
        found = self.probabilities(self._with_features(sent))
        return [
            Prediction(
                id=None if pd.isna(key) else key,  # pandas has NaN where only some rows have one
                probability=value,
                label=value >= self.version.threshold,
            )
            for key, value in zip(sent[self.version.key], found.tolist(), strict=True)
        ]

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """Score rows of features, as the feature table has them.

        Raises:
            PayloadError: A feature is not there, or is no finite number. No retry.
        """
        version = self.version
        rows = model_input(features, version.numeric, [*version.categorical])
        return positive_scores(self.pipeline, rows)

    def _with_features(self, sent: pd.DataFrame) -> pd.DataFrame:
        # What a model does not use was not asked for, so that it could not be computed.
        if set(self.version.columns) & set(self.builder.computed_of):
            return self.builder.compute(sent)
        return sent


def load_model(store: Store, name: str, number: int | None = None) -> ServedModel:
    """Read a version of a model, the champion by default.

    Raises:
        ObjectNotFoundError: There is no such version, or no champion yet. No retry.
        CorruptObjectError: The file's bytes are not those that were registered. No retry.
        ModelFileError: They are no model that may be loaded. No retry.
        StoreError: The store cannot be read.
    """
    registry = ModelRegistry(store, name)
    version = registry.require_champion() if number is None else registry.version(number)
    return served(store, version)


def served(store: Store, version: ModelVersion) -> ServedModel:
    """Make a version ready to score; see `load_model`."""
    pipeline = load(store.read_blob(version.model_file.digest), version.model_file.digest)
    builder = _builder(store, version)
    return ServedModel(version, form_of(version, builder), pipeline, builder)


def _builder(store: Store, version: ModelVersion) -> FeatureBuilder:
    parameters = _parameters(store, version)
    options = parameters.get("step")
    for option, make in BUILDERS.items():
        if isinstance(options, Mapping) and option in options:
            return make(parameters)
    return FeatureBuilder()


def _parameters(store: Store, version: ModelVersion) -> Mapping[str, Any]:
    """Read the parameters of the derivation that made the features a version was trained on."""
    manifest = store.manifest(features_of(version).manifest)
    return manifest.parameters if isinstance(manifest, DerivedManifest) else {}
