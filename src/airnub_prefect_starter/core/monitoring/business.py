"""Figures of the business, from gold tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from airnub_prefect_starter.common.errors import StoreError
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.monitoring.checks import check_unreadable, unusual
from airnub_prefect_starter.core.monitoring.config import SeriesWatch
from airnub_prefect_starter.core.monitoring.flow_config import BusinessMetric
from airnub_prefect_starter.core.monitoring.quality import read_series
from airnub_prefect_starter.core.monitoring.results import CheckResult

_MOST = {"number": 1, "series": 400, "ranking": 15}


class Figure(ConfigModel):
    """A metric and its values: one, or one per label; ``outliers`` are places of unusual ones."""

    name: str
    kind: Literal["number", "series", "ranking"]
    unit: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    outliers: tuple[int, ...] = ()


def figures(
    lake: Lake, metrics: Iterable[BusinessMetric]
) -> tuple[list[Figure], list[CheckResult]]:
    """Compute metrics, and report those that cannot be; a table that is not there yet has none.

    Raises:
        StoreError: The store does not answer just now. A retry may help.
    """
    found: list[Figure] = []
    wrong: list[CheckResult] = []
    for metric in metrics:
        try:
            if lake.exists(metric.table):
                found.append(_figure(lake, metric))
        except StoreError as error:
            if error.transient:
                raise
            wrong.append(check_unreadable(metric.name, str(error)))
    return found, wrong


def _figure(lake: Lake, metric: BusinessMetric) -> Figure:
    sql = f"SELECT '' AS label, value FROM ({metric.sql})"  # noqa: S608 - configured
    watch = SeriesWatch(
        name=metric.name,
        table=metric.table,
        sql=sql if metric.kind == "number" else metric.sql,
        season=metric.season,
    )
    points = read_series(lake, watch)[-_MOST[metric.kind] :]
    outliers = [at for at, _ in unusual(watch, points)] if metric.kind == "series" else []
    return Figure(
        name=metric.name,
        kind=metric.kind,
        unit=metric.unit,
        labels=tuple(label for label, _ in points),
        values=tuple(round(value, 6) for _, value in points),
        outliers=tuple(outliers),
    )
