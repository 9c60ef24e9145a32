"""Scores, statuses and advice."""

from __future__ import annotations

import pytest

from airnub_prefect_starter.core.monitoring.results import (
    CheckResult,
    Level,
    ScoreLimits,
    found_problems,
    health,
)


def _results(ok: int, warnings: int, criticals: int) -> list[CheckResult]:
    levels: list[Level] = ["ok"] * ok
    levels += ["warning"] * warnings
    levels += ["critical"] * criticals
    return [
        CheckResult(check="nulls", subject="t", column=str(number), level=level, message="m")
        for number, level in enumerate(levels)
    ]


@pytest.mark.parametrize(
    ("counts", "score", "status"),
    [
        ((10, 0, 0), 100, "healthy"),
        ((8, 2, 0), 80, "healthy"),
        ((7, 3, 0), 70, "warning"),
        ((5, 5, 0), 50, "critical"),
        # One of a hundred would be diluted.
        ((99, 0, 1), 98, "critical"),
        ((0, 0, 3), 0, "critical"),
        ((0, 0, 0), 0, "critical"),
    ],
)
def test_the_score_weighs_findings(counts: tuple[int, int, int], score: int, status: str) -> None:
    found = health(_results(*counts), ScoreLimits())

    assert (found.score, found.status) == (score, status)


def test_the_worst_comes_first_and_gets_advice() -> None:
    results = [
        CheckResult(check="volume", subject="a", level="warning", message="m"),
        CheckResult(check="freshness", subject="b", level="critical", message="m"),
        CheckResult(check="freshness", subject="c", level="critical", message="m"),
    ]

    assert [each.subject for each in found_problems(results)] == ["b", "c", "a"]
    advice = health(results, ScoreLimits()).recommendations
    assert [line.split(":")[0] for line in advice] == ["freshness (b, c)", "volume (a)"]
