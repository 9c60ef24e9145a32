"""What is done with a trained model, as configuration. Light: no library of models is imported."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.table_step import TableStep
from airnub_prefect_starter.core.manifest_models import RefText, StoreName

GOLD = r"^gold/[a-z][a-z0-9_]{0,62}$"


class Band(ConfigModel):
    """A segment of people by risk: those with this probability or more, up to the next band."""

    name: str = Field(min_length=1)
    from_probability: float = Field(ge=0, lt=1)


class ScoringStep(TableStep):
    """One table of probabilities, by the champion."""

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    model: StoreName = Field(description="Name in the registry of models")
    features: RefText = Field(description="Ref of the table of features")
    table: str = Field(pattern=GOLD)
    segments: tuple[Band, ...] = (
        Band(name="low", from_probability=0),
        Band(name="medium", from_probability=0.3),
        Band(name="high", from_probability=0.6),
    )

    @model_validator(mode="after")
    def _bands_begin_at_0_and_rise(self) -> Self:
        starts = [band.from_probability for band in self.segments]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("segments must begin at 0 and rise")
        return self


class ComparisonStep(ConfigModel):
    """One comparison of the champion with the challenger."""

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    model: StoreName = Field(description="Name in the registry of models")
    features: RefText = Field(description="Ref of the table of features")
    file: str = Field(default="features.parquet", description="Its output that holds the rows")
    experiment: str = Field(min_length=1, description="Salt of the split; another one splits anew")
    challenger_share: float = Field(default=0.5, gt=0, lt=1)
    resamples: int = Field(default=1000, ge=100, le=10_000, description="Of the bootstrap")


class DriftLimits(ConfigModel):
    """From when on a difference to the training rows counts.

    Source: 0.1 and 0.25 are the usual limits of the population stability index in credit scoring.
    """

    warning: float = Field(default=0.1, gt=0, description="PSI")
    critical: float = Field(default=0.25, gt=0, description="PSI")
    unknown_critical: float = Field(
        default=0.01, ge=0, le=1, description="Share of unknown categories; any is a warning"
    )


class DriftStep(ConfigModel):
    """One comparison of the newest rows with those that the champion was trained on."""

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    model: StoreName = Field(description="Name in the registry of models")
    features: RefText = Field(description="Ref of the table of features")
    file: str = Field(default="features.parquet", description="Its output that holds the rows")
    limits: DriftLimits = DriftLimits()
