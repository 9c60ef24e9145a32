"""What makes a table of features, as configuration."""

from __future__ import annotations

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.table_step import TableStep
from airnub_prefect_starter.core.manifest_models import RefText, StoreName


class TermOptions(ConfigModel):
    """Which words and pairs of words count (TF-IDF)."""

    max_terms: int = Field(default=100, ge=1, le=10_000, description="The most frequent ones")
    min_articles: int = Field(default=2, ge=1, description="Terms of fewer articles are left out")
    max_share_percent: int = Field(
        default=80, ge=1, le=100, description="Terms of a greater share of articles are left out"
    )


class FeatureStep(TableStep):
    """One table of features to make of articles."""

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    inputs: tuple[RefText, ...] = Field(min_length=1, description="Refs of CSV files of articles")
    table: str = Field(default="features/articles", pattern=r"^features/[a-z0-9][a-z0-9_-]{0,62}$")
    train_percent: int = Field(
        default=80, ge=1, le=99, description="The earliest articles, which all that is fitted sees"
    )
    max_rejected_percent: int = Field(
        default=5, ge=0, le=100, description="More rejected rows than this fail the step"
    )
    terms: TermOptions = TermOptions()
