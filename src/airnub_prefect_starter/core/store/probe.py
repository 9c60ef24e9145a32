"""Probing a store's storage: what it does of what the store would like it to do.

Ten questions, P1 to P10. What is missing is no error in most cases: the store works by other means,
and the finding says by which. Only where bytes do not come back as they were put, or listings lag,
must the storage not be used. The probes' objects are under ``tmp/`` and are removed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from airnub_prefect_starter.common.errors import ConfigError, StarterError

State = Literal["ok", "degraded", "failed", "skipped"]

PARALLEL = 8
MAX_SKEW_S = 300


class Otherwise(Exception):  # noqa: N818 - an answer, not an error
    """A storage does not do what was asked for; the text says what it did instead."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question.

    Args:
        probe: Its short name: P1.
        what: What the storage should do.
        look: Finds out; returns what was seen or raises ``Otherwise``.
        missing: The state if it does not.
        follows: What follows from that, and the remedy.
    """

    probe: str
    what: str
    look: Callable[[], str]
    missing: State
    follows: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question; ``follows`` is empty where all is well."""

    probe: str
    what: str
    state: State
    detail: str
    follows: str = ""
    error: StarterError | None = None


def run_checks(checks: Iterable[Check | Finding]) -> Iterator[Finding]:
    """Ask one question after the other; one that cannot be answered has failed."""
    for check in checks:
        yield _run(check) if isinstance(check, Check) else check


def skipped(probe: str, what: str, why: str) -> Finding:
    """Return the answer to a question that does not apply."""
    return Finding(probe, what, "skipped", why)


def require_usable(findings: Iterable[Finding]) -> None:
    """Accept a storage that a store may be kept on.

    Raises:
        StarterError: The first question that could not be answered, with its own exit code.
        ConfigError: The storage may not be used. No retry.
    """
    for finding in findings:
        if finding.error is not None:
            raise finding.error
        if finding.state == "failed":
            raise ConfigError(
                f"{finding.probe}: not so: {finding.what}: {finding.detail}", finding.follows
            )


def _run(check: Check) -> Finding:
    try:
        return Finding(check.probe, check.what, "ok", check.look())
    except Otherwise as answer:
        return Finding(check.probe, check.what, check.missing, str(answer), check.follows)
    except StarterError as error:
        return Finding(check.probe, check.what, "failed", error.message, error.remedy, error)
