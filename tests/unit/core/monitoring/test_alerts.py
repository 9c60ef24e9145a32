"""Alerts: told once per cool-down and sink, again if worse, and when they are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig, Route
from airnub_prefect_starter.core.monitoring.alerts import (
    fingerprint,
    keep_alerts,
    plan_deliveries,
    read_alerts,
)
from airnub_prefect_starter.core.monitoring.results import CheckResult, Level
from tests.unit.core.monitoring.conftest import INFO

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOG = Route(sink="log")
HOOK = Route(sink="webhook", secret="hook", level="critical")  # noqa: S106 - its name
CONFIG = AlertsConfig(cooldown_hours=24, routes=(LOG, HOOK))


def _found(level: Level, message: str = "m", subject: str = "silver/t") -> CheckResult:
    return CheckResult(check="nulls", subject=subject, column="c", level=level, message=message)


class Monitor:
    """Runs that plan, deliver and remember, with sinks that fail where a test says so."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def run(
        self,
        results: Sequence[CheckResult] | None,
        hours: float = 0,
        *,
        failing: Sequence[str] = (),
    ) -> dict[str, list[str]]:
        """Give what each sink was told: sink → levels, ``resolved`` for what is over."""
        now = NOW + timedelta(hours=hours)
        findings: Mapping[str, Sequence[CheckResult]] = (
            {} if results is None else {"data_quality": results}
        )
        planned = plan_deliveries(CONFIG, findings, read_alerts(self.lake), now)
        for each in planned:
            keep_alerts(self.lake, each.told(now, delivered=each.route.name not in failing), INFO)
        return {
            each.route.sink: [alert.level if alert.open else "resolved" for alert in each.due]
            for each in planned
        }


@pytest.fixture
def monitor(lake: Lake) -> Monitor:
    return Monitor(lake)


def test_each_route_has_its_level(monitor: Monitor) -> None:
    told = monitor.run([_found("warning"), _found("critical", subject="gold/t"), _found("ok")])

    assert told == {"log": ["critical", "warning"], "webhook": ["critical"]}


def test_what_goes_on_is_told_again_after_the_cool_down_only(monitor: Monitor) -> None:
    told = [
        monitor.run([_found("warning", f"{hours} h")], hours)["log"] for hours in (0, 1, 23, 24)
    ]

    assert told == [["warning"], [], [], ["warning"]]
    kept = read_alerts(monitor.lake)[0]
    assert (kept.first_seen, kept.count, kept.message) == (NOW, 4, "24 h")


def test_what_gets_worse_is_told_at_once(monitor: Monitor) -> None:
    monitor.run([_found("warning")])

    assert monitor.run([_found("critical")], 1) == {"log": ["critical"], "webhook": ["critical"]}


def test_what_is_over_is_told_once_and_may_begin_again(monitor: Monitor) -> None:
    monitor.run([_found("critical")])

    assert monitor.run([], 1) == {"log": ["resolved"], "webhook": ["resolved"]}
    assert monitor.run([], 2) == {"log": [], "webhook": []}
    assert monitor.run([_found("critical")], 3) == {"log": ["critical"], "webhook": ["critical"]}
    assert [each.count for each in read_alerts(monitor.lake)] == [1, 1]


def test_what_was_not_checked_is_not_over(monitor: Monitor) -> None:
    monitor.run([_found("critical")])

    assert monitor.run(None, 1) == {"log": [], "webhook": []}
    assert len(read_alerts(monitor.lake, open_only=True)) == 2


def test_a_sink_that_failed_is_told_the_next_time_and_the_other_not_twice(
    monitor: Monitor,
) -> None:
    monitor.run([_found("critical")], failing=[HOOK.name])

    assert monitor.run([_found("critical")], 1) == {"log": [], "webhook": ["critical"]}
    assert monitor.run([_found("critical")], 2) == {"log": [], "webhook": []}


def test_what_got_worse_while_a_sink_failed_is_told_the_next_time(
    monitor: Monitor,
) -> None:
    monitor.run([_found("warning")])
    monitor.run([_found("critical")], 1, failing=[LOG.name])

    assert monitor.run([_found("critical")], 2)["log"] == ["critical"]
    assert monitor.run([_found("critical")], 3)["log"] == []


def test_what_is_worst_comes_first(monitor: Monitor) -> None:
    monitor.run([_found("warning", subject="a")])

    told = monitor.run([_found("warning", subject="b"), _found("critical", subject="c")], 1)

    assert told["log"] == ["critical", "warning", "resolved"]


def test_an_end_that_was_not_told_is_told_the_next_time(monitor: Monitor) -> None:
    monitor.run([_found("critical")])
    monitor.run([], 1, failing=[HOOK.name])

    assert monitor.run([], 2) == {"log": [], "webhook": ["resolved"]}


def test_a_fingerprint_is_that_of_the_thing_and_not_of_its_numbers() -> None:
    assert fingerprint(_found("warning", "21 %")) == fingerprint(_found("critical", "99 %"))
    assert fingerprint(_found("warning")) != fingerprint(_found("warning", subject="gold/t"))


@pytest.mark.parametrize(
    "route",
    [
        {"sink": "webhook"},
        {"sink": "log", "secret": "hook"},
        {"sink": "email", "secret": "mail"},
        {"sink": "webhook", "secret": "hook", "to": ["a@example.com"]},
        {"sink": "email", "secret": "mail", "to": ["a@example.com\nBcc: b@example.com"]},
        {"sink": "pager"},
    ],
)
def test_a_route_that_leads_nowhere_is_refused(route: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Route.model_validate(route)


def test_two_routes_to_one_sink_are_refused() -> None:
    with pytest.raises(ValidationError, match="same sink"):
        AlertsConfig(routes=(LOG, Route(sink="log", level="critical")))
