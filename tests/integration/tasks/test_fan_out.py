"""Many at once: good ones are kept, failed ones are named, and the end is never falsely green."""

import datetime as dt
import pickle
import threading
from dataclasses import dataclass

import pytest
from prefect import flow, task
from prefect.runtime import flow_run

from airnub_prefect_starter.common.errors import ConfigError, SourceRejectedError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.tasks.fan_out import (
    Outcomes,
    PartialFailureError,
    Subflow,
    describe_failure,
    fan_out,
    run_together,
    source_id,
)
from airnub_prefect_starter.tasks.run_context import run_date

STAGE = Department("alpha", "Alpha").stage("ingestion")


@dataclass(frozen=True)
class Source:
    source_id: str


@task
def fetch(source: Source) -> str:
    if source.source_id.startswith("bad"):
        raise SourceRejectedError(f"{source.source_id} answered 404")
    return source.source_id.upper()


def test_good_results_are_kept_and_each_failure_is_named() -> None:
    @flow
    def category() -> Outcomes[str]:
        sources = [Source("a"), Source("bad-1"), Source("b"), Source("bad-2")]
        return fan_out(fetch, sources, name=source_id)

    outcomes = category()

    assert outcomes.found == ["A", "B"]
    with pytest.raises(PartialFailureError) as caught:
        outcomes.require_all()
    assert caught.value.message == (
        "2 of 4 failed: bad-1: SourceRejectedError: bad-1 answered 404; "
        "bad-2: SourceRejectedError: bad-2 answered 404"
    )
    assert caught.value.results == ("A", "B")


def test_two_of_one_name_are_refused() -> None:
    @flow
    def category() -> None:
        fan_out(fetch, [Source("a"), Source("a")], name=source_id)

    with pytest.raises(ConfigError, match="'a' stands twice"):
        category()


def test_a_later_check_takes_results_away() -> None:
    outcomes = Outcomes({"a": 1, "b": 2}, {"c": ValueError("c")})

    checked = outcomes.checked_by(Outcomes({"a": True}, {"b": ValueError("b")}))

    assert checked.results == {"a": 1}
    assert set(checked.failures) == {"b", "c"}


def test_nothing_failed_gives_all() -> None:
    assert Outcomes({"a": 1, "b": 2}, {}).require_all() == [1, 2]


def test_flows_run_at_the_same_time_with_their_own_tags() -> None:
    meeting = threading.Barrier(2, timeout=60)  # both must be in their bodies at once

    @flow
    def category(number: int, date: dt.date) -> list[str]:
        meeting.wait()
        return sorted(flow_run.get_tags())

    @flow
    def stage() -> list[list[str]]:
        subflows = {"files": Subflow(category, 1), "pages": Subflow(category, 2)}
        return run_together(STAGE, subflows).require_all()

    assert stage() == [
        ["airnub", "category:files", "department:alpha", "stage:ingestion"],
        ["airnub", "category:pages", "department:alpha", "stage:ingestion"],
    ]


def test_categories_are_about_the_date_of_their_stage() -> None:
    @flow
    def category(number: int, date: dt.date) -> list[dt.date]:
        return [date, run_date()]

    @flow
    def stage(date: dt.date | None = None) -> list[list[dt.date]]:
        return run_together(STAGE, {"files": Subflow(category, 1)}).require_all()

    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    assert stage(dt.date(2013, 1, 5)) == [[dt.date(2013, 1, 5)] * 2]
    assert stage("2013-01-05") == [[dt.date(2013, 1, 5)] * 2]  # type: ignore[call-overload]
    assert stage() in ([[yesterday] * 2], [[yesterday + dt.timedelta(days=1)] * 2])  # at midnight


def test_a_flow_that_fails_before_its_body_fails_by_name_and_the_other_completes() -> None:
    @flow
    def category(number: int, date: dt.date) -> list[int]:
        return [number]

    @flow
    def stage() -> Outcomes[list[int]]:
        subflows = {"files": Subflow(category, "not a number"), "pages": Subflow(category, 2)}
        return run_together(STAGE, subflows)

    outcomes = stage()

    assert outcomes.results == {"pages": [2]}
    with pytest.raises(PartialFailureError, match="1 of 2 failed: files: ParameterTypeError"):
        outcomes.require_all()


def test_what_a_failed_flow_kept_is_not_lost() -> None:
    partial = PartialFailureError("1 of 2 failed: x", [ValueError("x")])
    partial.results = ("kept",)

    outcomes = Outcomes({"files": ["a", "b"]}, {"pages": partial, "apis": ValueError("no")})

    assert outcomes.kept() == ["a", "b", "kept"]


class UnreadableError(Exception):
    """Cannot be unpickled: its arguments are not those of its constructor."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def test_what_was_kept_reaches_another_process_whatever_failed() -> None:
    inner = Outcomes({"a": 1}, {"b": UnreadableError("no", "way"), "c": SourceRejectedError("404")})
    with pytest.raises(PartialFailureError) as caught:
        inner.require_all()

    found = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes

    assert isinstance(found, PartialFailureError)
    assert (found.message, found.results) == (caught.value.message, (1,))
    assert [repr(each) for each in found.exceptions] == [
        "RuntimeError('UnreadableError: no way')",
        "SourceRejectedError('404', '')",
    ]


def test_notes_are_told() -> None:
    error = ValueError("no")
    error.add_note("run a-b")

    assert describe_failure(error) == "ValueError: no (run a-b)"
