"""What a check found, and what many of them come to: a score and advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from airnub_prefect_starter.core.configuration import ConfigModel

Level = Literal["ok", "warning", "critical"]
SEVERITY: dict[Level, int] = {"ok": 0, "warning": 1, "critical": 2}

_ADVICE = {
    "freshness": "Run the stage that writes it, and see whether its schedule is active",
    "volume": "Compare the newest batch with what its source published",
    "nulls": "Look at the batch that is named: `airnub lake query`; ask the source's owner",
    "duplicates": "Correct the key, or the contract that should have refused the rows",
    "rejected": "Read the refused rows in quarantine/, and tell the source's owner",
    "schema": "Adapt the contract, then raise `reference` to accept the new columns",
    "drift": "See what changed in the source; if it is to stay, raise `reference` or train again",
    "unknown": "Ask the source's owner what the values mean, then train a model that knows them",
    "reading": "See what is damaged, or correct the check's columns and SQL",
    "presence": "Run the stage that writes it",
    "series": "See what happened on the day that is named",
    "duration": "Compare the run's log with an earlier one",
    "failures": "Read why the runs failed: `airnub inspect`",
    "memory": "Raise the memory of the department's Jobs, or let the step read less at once",
}


class CheckResult(ConfigModel):
    """What one check found of a table, prefix, source or flow, and of one of its columns.

    ``value`` and ``threshold`` have the unit that the message names.
    """

    check: str
    subject: str
    column: str = ""
    level: Level = "ok"
    value: float | None = None
    threshold: float | None = None
    message: str


class Health(ConfigModel):
    """What checks come to: a score from 0 to 100, a status, and what to do."""

    score: int
    status: Literal["healthy", "warning", "critical"]
    checks: int
    warnings: int
    criticals: int
    recommendations: tuple[str, ...]


class ScoreLimits(ConfigModel):
    """From which score on, in points of 100, data counts as healthy, and as not yet critical."""

    healthy: int = 80
    warning: int = 60


def found_problems(results: Sequence[CheckResult]) -> list[CheckResult]:
    """List what is not ok, the worst first."""
    bad = [each for each in results if each.level != "ok"]
    return sorted(bad, key=lambda each: (-SEVERITY[each.level], each.check, each.subject))


def health(results: Sequence[CheckResult], limits: ScoreLimits) -> Health:
    """Score checks: 100 - 100 * (warnings + 2 * criticals) / checks, at least 0.

    Any critical finding makes the status critical, however many other checks dilute the score.
    Nothing checked is nothing known: score 0.
    """
    levels = Counter(each.level for each in results)
    weight = levels["warning"] + 2 * levels["critical"]
    score = max(0, round(100 - 100 * weight / len(results))) if results else 0
    if levels["critical"] or score < limits.warning:
        status: Literal["healthy", "warning", "critical"] = "critical"
    else:
        status = "healthy" if score >= limits.healthy else "warning"
    return Health(
        score=score,
        status=status,
        checks=len(results),
        warnings=levels["warning"],
        criticals=levels["critical"],
        recommendations=recommendations(results),
    )


def recommendations(results: Sequence[CheckResult]) -> tuple[str, ...]:
    """Give one line of advice per kind of problem, the worst first."""
    kinds: dict[str, list[str]] = {}
    for each in found_problems(results):
        kinds.setdefault(each.check, []).append(each.subject)
    return tuple(
        f"{check} ({', '.join(dict.fromkeys(subjects))}): {_ADVICE[check]}"
        for check, subjects in kinds.items()
    )
