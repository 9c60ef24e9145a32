"""The one retry policy: transient errors are tried again, all others end at once."""

import pytest
from prefect import flow, task

from airnub_prefect_starter.common.errors import (
    SourceRejectedError,
    SourceUnavailableError,
    StarterError,
)
from airnub_prefect_starter.tasks.retry import RETRY

ATTEMPTS = 1 + RETRY["retries"]


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (SourceUnavailableError("down"), ATTEMPTS),
        (SourceRejectedError("gone"), 1),
        (ValueError("a bug"), 1),
        (ExceptionGroup("both", [SourceUnavailableError("x"), SourceRejectedError("y")]), 1),
    ],
    ids=["transient", "permanent", "not ours", "one of a group is permanent"],
)
def test_only_what_may_pass_is_tried_again(error: Exception, attempts: int) -> None:
    tried: list[int] = []

    @task(**RETRY)
    def fail() -> None:
        tried.append(1)
        raise error

    @flow
    def one() -> None:
        fail.with_options(retry_delay_seconds=0)()

    with pytest.raises(type(error)):
        one()
    assert len(tried) == attempts


def test_a_task_that_recovers_completes() -> None:
    tried: list[int] = []

    @task(**RETRY)
    def recover() -> str:
        tried.append(1)
        if len(tried) < 3:
            raise SourceUnavailableError("not yet")
        return "done"

    @flow
    def one() -> str:
        return recover.with_options(retry_delay_seconds=0)()

    assert one() == "done"
    assert len(tried) == 3


def test_errors_reach_the_caller_whole() -> None:
    @task(**RETRY)
    def fail() -> None:
        raise SourceRejectedError("http://x/ answered 404", "Correct the address")

    @flow
    def one() -> None:
        fail()

    with pytest.raises(StarterError) as caught:
        one()
    assert (caught.value.message, caught.value.remedy) == (
        "http://x/ answered 404",
        "Correct the address",
    )
