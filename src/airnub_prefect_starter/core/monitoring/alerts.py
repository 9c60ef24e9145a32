"""Alerts: findings that somebody must hear of, once per cool-down, and when they are over.

An alert is known by its fingerprint (check, subject, column), whatever its numbers are. What each
sink was told is kept in the table ``ops/alerts``, a row per fingerprint and sink, so a sink that
failed is told the next time and the others are not told twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, merge
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig, Route
from airnub_prefect_starter.core.monitoring.results import SEVERITY, CheckResult, Level

ALERTS = "ops/alerts"
_TYPES = {
    "fingerprint": "string",
    "sink": "string",
    "source": "string",
    "level": "string",
    "told_level": "string",
    "check": "string",
    "subject": "string",
    "column": "string",
    "message": "string",
    "first_seen": "datetime64[us, UTC]",
    "last_seen": "datetime64[us, UTC]",
    "last_sent": "datetime64[us, UTC]",
    "resolved_at": "datetime64[us, UTC]",
    "count": "Int64",
}


class Alert(ConfigModel):
    """A finding as one sink knows it.

    ``count`` says how often it was seen since it appeared, ``told_level`` what the sink was told.
    """

    fingerprint: str
    sink: str
    source: str
    level: Level
    told_level: Level | None = None
    check: str
    subject: str
    column: str = ""
    message: str
    first_seen: datetime
    last_seen: datetime
    last_sent: datetime | None = None
    resolved_at: datetime | None = None
    count: int = 1

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return self.resolved_at is None


@dataclass(frozen=True)
class Delivery:
    """What one sink is to be told now, and what is known of its alerts if that succeeds or not."""

    route: Route
    due: tuple[Alert, ...]
    waiting: tuple[Alert, ...]

    def told(self, now: datetime, *, delivered: bool) -> list[Alert]:
        """Give the alerts as they are to be kept; what is over stays open until that was said."""
        if delivered:
            sent = [
                each.model_copy(update={"last_sent": now, "told_level": each.level})
                for each in self.due
            ]
        else:
            sent = [each.model_copy(update={"resolved_at": None}) for each in self.due]
        return [*sent, *self.waiting]


def fingerprint(result: CheckResult) -> str:
    """Give what identifies a finding, as 16 hexadecimal digits."""
    name = "\n".join((result.check, result.subject, result.column))
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def plan_deliveries(
    config: AlertsConfig,
    findings: Mapping[str, Sequence[CheckResult]],
    known: Iterable[Alert],
    now: datetime,
) -> list[Delivery]:
    """Decide for each route what is due: new, worse, over its cool-down, or no longer found.

    Args:
        config: Routes and cool-down.
        findings: Source of the findings, such as a category → all its results. An alert of a source
            that is missing here, because it failed, is left as it is.
        known: The alerts as they were kept.
        now: The time, aware.
    """
    before = {(each.sink, each.fingerprint): each for each in known}
    return [_delivery(route, config, findings, before, now) for route in config.routes]


def _delivery(
    route: Route,
    config: AlertsConfig,
    findings: Mapping[str, Sequence[CheckResult]],
    before: Mapping[tuple[str, str], Alert],
    now: datetime,
) -> Delivery:
    due: list[Alert] = []
    waiting: list[Alert] = []
    found = {
        fingerprint(result): (source, result)
        for source, results in findings.items()
        for result in results
        if SEVERITY[result.level] >= SEVERITY[route.level]
    }
    for mark, (source, result) in found.items():
        last = before.get((route.name, mark))
        alert = _seen(route, source, result, last, now)
        (due if _is_due(alert, now, config) else waiting).append(alert)
    for last in _over(route, found, findings, before.values()):
        over = last.model_copy(update={"resolved_at": now})
        (due if config.resolved and last.last_sent else waiting).append(over)
    due.sort(key=lambda each: -SEVERITY[each.level] if each.open else 0)  # sinks show the first
    return Delivery(route, tuple(due), tuple(waiting))


def _seen(
    route: Route, source: str, result: CheckResult, last: Alert | None, now: datetime
) -> Alert:
    again = last if last and last.open else None
    return Alert(
        fingerprint=fingerprint(result),
        sink=route.name,
        source=source,
        level=result.level,
        told_level=again.told_level if again else None,
        check=result.check,
        subject=result.subject,
        column=result.column,
        message=result.message,
        first_seen=again.first_seen if again else now,
        last_seen=now,
        last_sent=again.last_sent if again else None,
        count=again.count + 1 if again else 1,
    )


def _is_due(alert: Alert, now: datetime, config: AlertsConfig) -> bool:
    if alert.last_sent is None or alert.told_level is None:
        return True
    worse = SEVERITY[alert.level] > SEVERITY[alert.told_level]
    return worse or now - alert.last_sent >= timedelta(hours=config.cooldown_hours)


def _over(
    route: Route, found: Collection[str], sources: Collection[str], known: Iterable[Alert]
) -> list[Alert]:
    return [
        each
        for each in known
        if each.sink == route.name
        and each.open
        and each.source in sources
        and each.fingerprint not in found
    ]


def read_alerts(lake: Lake, *, open_only: bool = False) -> list[Alert]:
    """Read what each sink was told; nothing where there is no table yet.

    Raises:
        StoreError: The table cannot be read.
    """
    if not lake.exists(ALERTS):
        return []
    found = lake.query("SELECT * FROM t ORDER BY sink, fingerprint", {"t": ALERTS})
    rows = found.astype("object").where(found.notna(), None).to_dict("records")
    alerts = [Alert.model_validate({str(k): v for k, v in row.items()}) for row in rows]
    return [each for each in alerts if each.open or not open_only]


def keep_alerts(lake: Lake, alerts: Sequence[Alert], info: WriteInfo) -> None:
    """Merge alerts into the table, by fingerprint and sink.

    Raises:
        TableConflictError: Another writer was first. A retry helps.
        StoreError: The table cannot be written.
    """
    if alerts:
        frame = pd.DataFrame([each.model_dump() for each in alerts]).astype(_TYPES)
        merge(lake, ALERTS, frame, info, key=["fingerprint", "sink"])
