"""What to watch, as configuration. Light: neither Delta tables nor data frames are imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import RefText, StoreName
from airnub_prefect_starter.core.monitoring.results import ScoreLimits

TableName = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z][a-z0-9_]{0,59}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Freshness(ConfigModel):
    """How old something may be, in hours since it was last written or confirmed."""

    warning_hours: float = Field(default=24, gt=0)
    critical_hours: float = Field(default=48, gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.critical_hours < self.warning_hours:
            raise ValueError("critical_hours must not be less than warning_hours")
        return self


class Volume(ConfigModel):
    """How many rows a table may have, and how unusual its newest batch may be."""

    min_rows: int = Field(default=1, ge=0)
    max_rows: int | None = Field(default=None, ge=1)
    history: int = Field(default=12, ge=3, description="Batches to compare the newest with")
    robust_z: float = Field(default=3.5, gt=0)


class Drift(ConfigModel):
    """Columns whose distribution is compared with the reference profile."""

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    warning: float = Field(default=0.1, gt=0, description="PSI")
    critical: float = Field(default=0.25, gt=0, description="PSI")


class TableWatch(ConfigModel):
    """A Delta table and what must be true of it."""

    table: TableName
    ref: RefText | None = Field(
        default=None, description="Where its lineage is; a run that left it unchanged confirms it"
    )
    key: tuple[str, ...] = ()
    batches: str | None = Field(default=None, description="Partition column; batches sort by it")
    freshness: Freshness = Freshness()
    volume: Volume = Volume()
    max_nulls: Share = 0.2
    nulls: Mapping[str, Share] = Field(default={}, description="Column → what it may have instead")
    max_duplicates: Share = 0.1
    max_rejected: Share = Field(
        default=0.01, description="Share of a batch's rows that its contract may refuse; needs ref"
    )
    reference: str = Field(
        default="1", description="Raise it to make the present columns and values the reference"
    )
    drift: Drift = Drift()


class PrefixWatch(ConfigModel):
    """Objects of the store below a prefix."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z]+/([a-zA-Z0-9_.=-]+/)*$")]
    min_objects: int = Field(default=1, ge=0)
    min_mb: float = Field(default=0, ge=0, description="Megabytes, 10^6 bytes")
    max_mb: float | None = Field(default=None, gt=0)


class SourceWatch(ConfigModel):
    """Every source that a category fetches."""

    namespace: StoreName
    freshness: Freshness = Freshness()


class SeriesWatch(ConfigModel):
    """Numbers in the order of time; the newest must be like those before them."""

    name: str
    table: TableName
    sql: str = Field(description="Gives columns label and value, oldest first; the table is `t`")
    season: int = Field(default=1, ge=1, description="7 compares a day with the same weekday")
    history: int = Field(default=8, ge=5)
    newest: int = Field(default=1, ge=1, description="How many of the newest are judged")
    robust_z: float = Field(default=3.5, gt=0)


class DataQualityChecks(ConfigModel):
    """All that is watched, and the thresholds of the score."""

    tables: tuple[TableWatch, ...] = ()
    prefixes: tuple[PrefixWatch, ...] = ()
    sources: tuple[SourceWatch, ...] = ()
    series: tuple[SeriesWatch, ...] = ()
    score: ScoreLimits = ScoreLimits()
