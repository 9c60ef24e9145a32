"""What processing and analysis are to make, as configuration.

Only models: what carries steps out (`data_cleaning.py`, `analysis.py`) imports much more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import RefText, StoreName
from airnub_prefect_starter.core.table_schema import ReaderName, TableSchema

# The tables that each summary reads (`summaries.py`).
SUMMARY_TABLES: Mapping[str, tuple[str, ...]] = {
    "flights_by_month": ("flights",),
    "flights_by_month_and_origin": ("flights",),
    "flights_by_carrier": ("flights",),
    "delays_by_hour": ("flights",),
    "delays_by_weather": ("flights", "weather"),
    "busiest_routes": ("flights",),
    "busiest_destinations": ("flights", "airports"),
    "airports_by_timezone": ("airports",),
}
# The summaries that each plot draws (`plots.py`).
PLOT_SUMMARIES: Mapping[str, tuple[str, ...]] = {
    "flights_by_month": ("flights_by_month_and_origin",),
    "delay_by_hour": ("delays_by_hour",),
}


class ProcessingStep(ConfigModel):
    """One table to make: from which refs, how they are read, and what the table must be."""

    source_id: StoreName = Field(description="Name of the table's ref in this category's namespace")
    inputs: tuple[RefText, ...] = Field(
        min_length=1, description="Refs to read, as NAMESPACE/SOURCE_ID; earlier ones win"
    )
    reader: ReaderName = "csv"
    table: TableSchema
    source_column: str | None = Field(
        default=None, description="Column of the table that is filled with the input's source_id"
    )
    max_rejected_percent: int = Field(
        default=50, ge=0, le=100, description="More rejected rows than this fail the step"
    )

    @model_validator(mode="after")
    def _source_column_exists(self) -> Self:
        if self.source_column is not None and self.source_column not in self.table.names:
            raise ValueError(f"source_column {self.source_column!r} is not a column of the table")
        return self


TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


def _known(name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        hint = nearest(name, known)
        advice = f"; did you mean {hint!r}?" if hint else ""
        raise ValueError(f"is none of {', '.join(known)}{advice}")
    return name


SummaryName = Annotated[str, AfterValidator(lambda name: _known(name, SUMMARY_TABLES))]
PlotName = Annotated[str, AfterValidator(lambda name: _known(name, PLOT_SUMMARIES))]


class AnalysisStep(ConfigModel):
    """What to compute from which tables."""

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    tables: Mapping[TableName, RefText] = Field(
        min_length=1, description="Name of a table, such as flights, to the ref that holds it"
    )
    summaries: tuple[SummaryName, ...] = Field(min_length=1)
    plots: tuple[PlotName, ...] = ()

    @model_validator(mode="after")
    def _needs_are_given(self) -> Self:
        for name in self.summaries:
            missing = set(SUMMARY_TABLES[name]) - set(self.tables)
            if missing:
                raise ValueError(f"summary {name} needs the tables {', '.join(sorted(missing))}")
        for name in self.plots:
            missing = set(PLOT_SUMMARIES[name]) - set(self.summaries)
            if missing:
                raise ValueError(f"plot {name} needs the summaries {', '.join(sorted(missing))}")
        return self
