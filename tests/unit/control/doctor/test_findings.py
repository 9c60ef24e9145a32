from __future__ import annotations

from contextvars import ContextVar
from threading import Barrier, Event

import pytest

from airnub_prefect_starter.common.errors import ConfigError, PlatformError, StoreError
from airnub_prefect_starter.control.doctor.findings import (
    Check,
    Finding,
    examine,
    fail,
    listed,
    ok,
    warn,
)


def raising(error: Exception) -> Check[None]:
    def look(_: None) -> Finding:
        raise error

    return Check("it", look)


def finding_of(check: Check[None]) -> Finding:
    return examine([check], None).findings[check.name]


def test_findings_are_told_in_the_order_of_the_checks_which_run_at_once() -> None:
    together = Barrier(2)

    def look(_: None) -> Finding:
        together.wait(10)
        return ok("fine")

    found = examine([Check("b", look), Check("a", look)], None).findings

    assert list(found.items()) == [("b", ok("fine")), ("a", ok("fine"))]


def test_what_needs_something_that_failed_is_skipped_and_so_is_what_needs_that() -> None:
    checks = [
        Check[None]("c", lambda _: ok("c"), needs=("b",)),
        Check[None]("b", lambda _: ok("b"), needs=("a",)),
        Check[None]("a", lambda _: fail("a", "mend a")),
        Check[None]("d", lambda _: ok("d"), needs=("e", "of another list")),
        Check[None]("e", lambda _: warn("e", "look at e")),
    ]

    found = examine(checks, None).findings

    assert {name: each.state for name, each in found.items()} == {
        "a": "fail",
        "b": "skipped",
        "c": "skipped",
        "d": "ok",
        "e": "warn",
    }
    assert (found["b"].what, found["c"].what) == ("skipped: it needs a", "skipped: it needs b")


def test_one_that_hangs_does_not_hang_the_others() -> None:
    never = Event()

    def hang(_: None) -> Finding:
        never.wait()
        return ok("at last")

    found = examine([Check("hangs", hang, limit_s=0.05), Check[None]("x", lambda _: ok("x"))], None)
    never.set()

    assert found.findings["hangs"].state == "fail"
    assert found.findings["hangs"].what == "no answer in 0.05 s"
    assert found.findings["x"] == ok("x")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigError("It is wrong", "Mend it"), fail("It is wrong", "Mend it")),
        (StoreError("It is gone"), fail("It is gone")),
        (ConfigError("a.yaml:1: no\na.yaml:2: no"), fail("a.yaml:1: no; a.yaml:2: no")),
        (
            ExceptionGroup(
                "2", [ConfigError("a", "do"), ExceptionGroup("1", [ConfigError("b", "do")])]
            ),
            fail("a; b", "do"),
        ),
    ],
    ids=["with a remedy", "without", "of two lines", "several"],
)
def test_an_error_of_ours_is_a_failure_with_its_remedy(error: Exception, expected: Finding) -> None:
    assert finding_of(raising(error)) == expected


@pytest.mark.parametrize(
    "bug", [KeyError("x"), ExceptionGroup("1", [ConfigError("a"), KeyError("x")])], ids=str
)
def test_a_bug_is_told_with_the_others_and_stays_one(bug: Exception) -> None:
    found = examine([raising(bug), Check[None]("x", lambda _: ok("x"))], None)

    assert found.findings["x"] == ok("x")
    assert found.findings["it"].state == "fail"
    assert found.findings["it"].what.startswith(f"the check itself failed: {type(bug).__name__}")
    with pytest.raises(type(bug)) as caught:
        found.require_healthy()
    assert caught.value is bug


def test_checks_have_the_context_of_who_asks() -> None:
    variable = ContextVar("variable", default="none")
    variable.set("mine")

    assert finding_of(Check("it", lambda _: ok(variable.get()))) == ok("mine")


def test_only_failures_are_unhealthy() -> None:
    names = [Check[None]("a", lambda _: ok("")), Check[None]("b", lambda _: warn("", "x"))]
    examine(names, None).require_healthy()

    broken = examine([*names, Check[None]("c", lambda _: fail("", "x"))], None)
    with pytest.raises(PlatformError, match="1 of 3 checks failed: c"):
        broken.require_healthy()


def test_many_things_are_named_in_part() -> None:
    assert listed([]) == ""
    assert listed(range(5)) == "0; 1; 2; 3; 4"
    assert listed(range(7)) == "0; 1; 2; 3; 4; and 2 more"


def test_a_fix_is_told_once() -> None:
    assert fail("x", "a", "b", "a").fixes == ("a", "b")
