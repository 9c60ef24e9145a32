"""What to expect of runs, and which figures of the business to show. Light: models only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.monitoring.config import TableName


class RunLimits(ConfigModel):
    """From when on a run counts as worse than those before it."""

    history: int = Field(default=20, ge=5, description="Runs to compare the newest with")
    duration_factor: float = Field(default=1.5, ge=1)
    duration_slack_s: float = Field(default=30, ge=0)
    robust_z: float = Field(default=3.5, gt=0)
    noticeable_s: float = Field(
        default=10, ge=0, description="Seconds over the median that an outlier must last"
    )
    max_failure_rate: float = Field(default=0.1, ge=0, le=1)
    max_memory_share: float = Field(default=0.85, gt=0, le=1)


class BusinessMetric(ConfigModel):
    """A figure of a gold table. The table is ``t`` in the SQL.

    ``number``: one row with a column value. ``series``: columns label and value, oldest first, at
    most 400 points. ``ranking``: columns label and value, at most 15 rows.
    """

    name: str
    table: TableName
    kind: Literal["number", "series", "ranking"]
    sql: str
    unit: str = ""
    season: Annotated[int, Field(ge=1)] = 1


class FlowHealthChecks(ConfigModel):
    """How far back to look, what to expect of runs, and the figures to show."""

    days: int = Field(default=30, ge=1, le=365)
    runs: RunLimits = RunLimits()
    business: tuple[BusinessMetric, ...] = ()
