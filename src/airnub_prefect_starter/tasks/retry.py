"""The one retry policy: transient errors only, exponential with jitter.

Core decides what is transient (`common.errors`); everything else fails at once, because it would
fail again.
"""

from typing import Any, TypedDict

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from airnub_prefect_starter.common.errors import is_transient


class RetryPolicy(TypedDict):
    """The keyword arguments of ``@task`` that make the policy."""

    retries: int
    retry_delay_seconds: Any
    retry_jitter_factor: float
    retry_condition_fn: Any


def retry_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell Prefect whether the error of a failed attempt is worth another one."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_transient(error)


RETRY = RetryPolicy(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=0.5,
    retry_condition_fn=retry_transient,
)
