"""What makes a feature table, as configuration."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field

from airnub_prefect_starter.core.feature_store.registry import Feature, FeatureRegistry
from airnub_prefect_starter.core.lake.table_step import TableStep
from airnub_prefect_starter.core.manifest_models import RefText, StoreName
from airnub_prefect_starter.core.run_date import DatedText, sample


def _is_date(text: str) -> str:
    dt.date.fromisoformat(sample(text))
    return text


class FeatureStoreStep(TableStep):
    """One table of features to make of the rows of one Parquet output.

    The date is stated, and not taken from a clock, so that equal rows give equal features on every
    machine and day. A source that is new every day states ``{date}``: then each day adds its rows.
    """

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    input: RefText = Field(description="Derived ref with the prepared rows")
    output: str = Field(description="Which of its outputs has them, such as prepared.parquet")
    table: str = Field(pattern=r"^features/[a-z0-9][a-z0-9_-]{0,62}$")
    key: str = Field(description="Column that names whom a row is about")
    event_date: Annotated[DatedText, AfterValidator(_is_date)] = Field(
        description="The day (UTC midnight) that the rows describe; {date} is the run's"
    )
    version: str = Field(description="Version of the list of features")
    features: tuple[Feature, ...] = Field(min_length=1)
    label: Feature | None = None

    @property
    def registry(self) -> FeatureRegistry:
        """The features as a registry."""
        return FeatureRegistry(
            key=self.key, version=self.version, features=self.features, label=self.label
        )

    @property
    def event_timestamp(self) -> dt.datetime:
        """The time that all rows are about."""
        return dt.datetime.combine(dt.date.fromisoformat(self.event_date), dt.time(), dt.UTC)
