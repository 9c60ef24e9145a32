"""Checks, what they find, and how they are carried out: at once, each with a time limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Thread
from typing import Generic, Literal, TypeVar

from airnub_prefect_starter.common.errors import PlatformError, StarterError, leaves_of

Subject = TypeVar("Subject")
State = Literal["ok", "warn", "fail", "skipped"]

LIMIT_S = 20.0
_LISTED = 5


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        state: ``warn`` is for what works and soon may not; ``skipped`` for what a failure hides.
        what: What was found, in one line.
        fixes: Commands, or what else to do, one line each; none where all is well.
        bug: What the check itself has failed with, if that was not meant to happen.
    """

    state: State
    what: str
    fixes: tuple[str, ...] = ()
    bug: Exception | None = field(default=None, compare=False)


def ok(what: str) -> Finding:
    """Find that all is well."""
    return Finding("ok", what)


def warn(what: str, *fixes: str) -> Finding:
    """Find something that works and soon may not."""
    return Finding("warn", what, tuple(dict.fromkeys(fixes)))


def fail(what: str, *fixes: str) -> Finding:
    """Find something that does not work."""
    return Finding("fail", what, tuple(dict.fromkeys(fixes)))


def listed(things: Sequence[object]) -> str:
    """Name the first few of some things."""
    named = "; ".join(str(each) for each in things[:_LISTED])
    rest = len(things) - _LISTED
    return f"{named}; and {rest} more" if rest > 0 else named


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One question.

    Args:
        name: What is looked at.
        look: Finds out. An error of ours is a failure with its remedy as the fix.
        needs: Names of checks that must not have failed; those of other lists are ignored.
        limit_s: How long it may take, in seconds.
    """

    name: str
    look: Callable[[Subject], Finding]
    needs: tuple[str, ...] = ()
    limit_s: float = LIMIT_S


@dataclass(frozen=True)
class Examination:
    """The findings by the names of their checks, in the order of these."""

    findings: dict[str, Finding]

    def require_healthy(self) -> None:
        """Accept findings without a failure.

        Raises:
            PlatformError: Something failed; the message names it.
            Exception: A check has a bug; this one.
        """
        for each in self.findings.values():
            if each.bug is not None:
                raise each.bug
        failed = [name for name, each in self.findings.items() if each.state == "fail"]
        if failed:
            raise PlatformError(
                f"{len(failed)} of {len(self.findings)} checks failed: {', '.join(failed)}",
                "Run the commands under them, the first one first",
            )


def examine(
    checks: Sequence[Check[Subject]], subject: Subject, *, more_s: float = 0
) -> Examination:
    """Carry out checks, each as soon as what it needs is known.

    Args:
        checks: One that does not end in its time has failed, and is left behind.
        subject: What they look at.
        more_s: Time beyond the limit of each, in seconds.
    """
    futures: dict[str, Future[Finding]] = {check.name: Future() for check in checks}
    for each in checks:
        check = replace(each, limit_s=each.limit_s + more_s)
        needed = {name: futures[name] for name in check.needs if name in futures}
        _in_thread(futures[check.name], partial(_carry_out, check, subject, needed))
    return Examination({name: future.result() for name, future in futures.items()})


def _carry_out(
    check: Check[Subject], subject: Subject, needed: dict[str, Future[Finding]]
) -> Finding:
    for name, future in needed.items():
        if future.result().state in {"fail", "skipped"}:
            return Finding("skipped", f"skipped: it needs {name}")
    found: Future[Finding] = Future()
    _in_thread(found, partial(_look, check, subject))
    try:
        return found.result(check.limit_s)
    except TimeoutError:
        return fail(f"no answer in {check.limit_s:g} s", "Run it again; if it stays, see the log")


def _look(check: Check[Subject], subject: Subject) -> Finding:
    try:
        return check.look(subject)
    except StarterError as error:
        return _failed([error])
    except ExceptionGroup as group:
        ours, bugs = group.split(StarterError)
        if bugs is not None or ours is None:
            return _bug(group)
        return _failed([each for each in leaves_of(ours) if isinstance(each, StarterError)])
    except Exception as error:  # noqa: BLE001 - told with the other findings, then raised
        return _bug(error)


def _bug(error: Exception) -> Finding:
    told = fail(f"the check itself failed: {type(error).__name__}: {error}", "Report it as a bug")
    return replace(told, bug=error)


def _failed(errors: Sequence[StarterError]) -> Finding:
    lines = [line for error in errors for line in error.message.splitlines()]
    return fail(listed(lines), *(error.remedy for error in errors if error.remedy))


def _in_thread(future: Future[Finding], work: Callable[[], Finding]) -> None:
    """Work in a thread that does not keep the process from ending."""

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is wanted
            future.set_exception(error)

    # With the caller's context: Prefect keeps its settings there.
    Thread(target=copy_context().run, args=(run,), daemon=True).start()
