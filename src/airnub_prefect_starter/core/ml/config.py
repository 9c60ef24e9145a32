"""What makes a model, as configuration; imports in no time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import RefText, StoreName

CandidateKind = Literal["dummy", "logistic_regression", "hist_gradient_boosting", "random_forest"]
SIMPLEST_FIRST: tuple[CandidateKind, ...] = (
    "dummy",
    "logistic_regression",
    "hist_gradient_boosting",
    "random_forest",
)
"""Of models that are as good as each other, the one that is easier to explain wins."""


def simpler(kind: CandidateKind, than: CandidateKind) -> bool:
    """Tell whether a kind of model is simpler than another."""
    return SIMPLEST_FIRST.index(kind) < SIMPLEST_FIRST.index(than)


class Split(ConfigModel):
    """Which rows are for training, and how candidates are compared on them."""

    method: Literal["stratified", "hash"] = Field(
        default="stratified",
        description="stratified: at random, with the same share of positives on both sides; "
        "hash: by the key, so that a row stays on its side when others come",
    )
    test_percent: int = Field(default=20, ge=5, le=50, description="Rows held out")
    folds: int = Field(default=5, ge=2, le=20, description="Of the cross-validation")
    seed: int = Field(default=42, ge=0, description="Of split, folds and candidates")


class Threshold(ConfigModel):
    """From which probability on a row counts as positive; chosen on training rows alone."""

    method: Literal["best_f1", "cost"] = "best_f1"
    cost_of_miss: float = Field(default=5, gt=0, description="Of a positive that is not seen")
    cost_of_false_alarm: float = Field(default=1, gt=0, description="In the same unit")


class Gates(ConfigModel):
    """What a model must be; a run that misses one of these registers nothing."""

    max_row_overlap: float = Field(
        default=0.01, ge=0, le=1, description="Share of test rows that are in training, key removed"
    )
    min_auc: float = Field(default=0.80, ge=0, le=1)
    max_auc: float = Field(default=0.95, ge=0, le=1, description="Better than that is a leak")
    min_gain_over_dummy: float = Field(default=0.20, ge=0, le=1, description="In AUC")
    max_train_test_gap: float = Field(default=0.05, ge=0, le=1, description="In AUC")
    min_slice_auc: float = Field(default=0.75, ge=0, le=1)
    min_gain: float = Field(
        default=0.002,
        ge=0,
        description="In AUC: by which to beat a simpler candidate, or the champion",
    )
    max_loss: float = Field(
        default=0.005, ge=0, description="That a challenger may cost if it is the simpler model"
    )


class Candidate(ConfigModel):
    """A model to try."""

    name: StoreName
    kind: CandidateKind


class ModelSpec(ConfigModel):
    """One model: what it is made of, what it predicts, and what it must be."""

    name: StoreName = Field(description="In the registry")
    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    features: RefText = Field(description="Ref of the features")
    file: str = Field(default="features.parquet", description="Its output that holds the rows")
    release: RefText | None = Field(default=None, description="Ref of the release they are in")
    key: str = Field(description="Column that names a row; never a feature")
    target: str = Field(description="Column to predict")
    positive: str = Field(description="The value of the target that is looked for")
    numeric: tuple[str, ...] = Field(description="Features that are numbers")
    categorical: tuple[str, ...] = Field(description="Features of a few values")
    slices: tuple[str, ...] = Field(default=(), description="Columns whose values must fare alike")
    segments: tuple[str, ...] = Field(default=(), description="Columns that plots look at")
    candidates: tuple[Candidate, ...] = Field(min_length=2)
    split: Split = Split()
    threshold: Threshold = Threshold()
    gates: Gates = Gates()
    purpose: str = Field(min_length=1, description="What it is for, on its card")
    limits: tuple[str, ...] = Field(default=(), description="What it is not for, on its card")
    tolerance: float = Field(
        default=0.002, gt=0, le=0.05, description="By which metrics may differ when made again"
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The features, numbers first: what a row must have to be scored."""
        return (*self.numeric, *self.categorical)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        columns = self.columns
        if not columns or len(set(columns)) != len(columns):
            raise ValueError("numeric and categorical must name some columns, each once")
        if leaked := {self.key, self.target} & set(columns):
            raise ValueError(f"{min(leaked)!r} is key or target: it must not be a feature")
        names = [each.name for each in self.candidates]
        if len(set(names)) != len(names):
            raise ValueError("two candidates have the same name")
        if [each.kind for each in self.candidates].count("dummy") != 1:
            raise ValueError("one candidate, and one only, must be the dummy that others must beat")
        return self

    def parameters(self) -> Mapping[str, Any]:
        """Give the specification as a manifest records it: floats as text."""
        found: Mapping[str, Any] = json.loads(self.model_dump_json(), parse_float=str)
        return found
