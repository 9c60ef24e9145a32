"""Many at once, good ones kept: run tasks or flows concurrently and fail at the end, by name.

A flow fans out, publishes what happened, and then calls `require_all`, which raises one exception
group if anything failed. So flows need no ``try`` and nothing that failed ends green.
"""

import contextvars
import pickle
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, wraps
from threading import Event
from typing import Any, Generic, Protocol, TypeVar

from prefect import Flow, Task, tags
from prefect.futures import PrefectFuture

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Stage
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.tasks.child_runs import result_of, start_run, wait_for_runs
from airnub_prefect_starter.tasks.run_context import has_server, run_date

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class PartialFailureError(ExceptionGroup[Exception]):
    """Some of many failed; the message names each, ``results`` holds what succeeded."""

    results: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Let what succeeded reach another process, whatever it was that failed."""
        return type(self), (self.message, [_portable(each) for each in self.exceptions]), vars(self)


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - pickling runs any class's own code
        return RuntimeError(describe_failure(error))
    return error


@dataclass(frozen=True)
class Outcomes(Generic[Result_co]):
    """What became of each item, by its name."""

    results: Mapping[str, Result_co]
    failures: Mapping[str, Exception]

    @property
    def found(self) -> list[Result_co]:
        """The results alone."""
        return list(self.results.values())

    def kept(self) -> list[Any]:
        """List the parts of every result, and the good parts of what failed."""
        whole = [part for result in self.results.values() for part in _parts(result)]
        partial = [part for error in self.failures.values() for part in _parts(error)]
        return whole + partial

    def checked_by(self, check: "Outcomes[Any]") -> "Outcomes[Result_co]":
        """Count as failed what a later check of the results refused."""
        good = {name: each for name, each in self.results.items() if name not in check.failures}
        return Outcomes(good, {**self.failures, **check.failures})

    def beside(self, others: "Outcomes[Result_co]") -> "Outcomes[Result_co]":
        """Put outcomes of items of other names beside these."""
        return Outcomes({**self.results, **others.results}, {**self.failures, **others.failures})

    def require_all(self) -> list[Result_co]:
        """Return every result.

        Raises:
            PartialFailureError: Something failed. A retry helps if every leaf is transient.
        """
        if not self.failures:
            return self.found
        total = len(self.results) + len(self.failures)
        named = "; ".join(
            f"{name}: {describe_failure(error)}" for name, error in self.failures.items()
        )
        group = PartialFailureError(
            f"{len(self.failures)} of {total} failed: {named}", list(self.failures.values())
        )
        group.results = tuple(self.found)
        raise group


class HasSourceId(Protocol):
    """A source, or what became of one."""

    @property
    def source_id(self) -> str:
        """Its identifier in the category."""


def source_id(item: HasSourceId) -> str:
    """Name an item of a fan-out by its source."""
    return item.source_id


def fan_out(
    task: Task[..., Result],
    items: Iterable[Item],
    *,
    name: Callable[[Item], str],
    **shared: object,
) -> Outcomes[Result]:
    """Submit a task for every item, wait for all, and sort results from failures.

    Args:
        task: Takes one item, and what is shared.
        items: What to work on.
        name: Gives the item's name in messages; must be unique.
        **shared: What every call gets beside its item.

    Raises:
        ConfigError: Two items have the same name. No retry.
    """
    futures: dict[str, PrefectFuture[Result]] = {}
    for item in items:
        key = _unique(name(item), futures)
        futures[key] = task.with_options(task_run_name=f"{task.name}: {key}").submit(item, **shared)
    return _collect({key: future.result for key, future in futures.items()})


@dataclass(frozen=True)
class Subflow(Generic[Result_co]):
    """A flow and the argument to call it with, beside the date of its stage's run."""

    flow: Flow[..., Result_co]
    argument: object


def run_together(stage: Stage, subflows: Mapping[str, Subflow[Result]]) -> Outcomes[Result]:
    """Run a stage's category flows concurrently, and sort results from failures.

    With ``isolation: job`` in the department's file each is a run of its own deployment: another
    process or Job. Else, and without a server, each is in a thread with the caller's run context.

    Args:
        stage: Its tags, and those of the category, go to the subflow's run and its task runs.
        subflows: Category → what to call.
    """
    if has_server() and load_settings().isolation == "job":
        return _run_apart(stage, subflows)
    return _run_in_threads(stage, subflows)


def _run_apart(stage: Stage, subflows: Mapping[str, Subflow[Result]]) -> Outcomes[Result]:
    begun = _collect(
        {
            name: partial(
                start_run, stage.category(name), subflow.flow, (subflow.argument, run_date())
            )
            for name, subflow in subflows.items()
        }
    )
    ended = wait_for_runs(begun.found)
    calls = {name: partial(result_of, ended[run.id]) for name, run in begun.results.items()}
    return _collect(calls).checked_by(begun)


def _run_in_threads(stage: Stage, subflows: Mapping[str, Subflow[Result]]) -> Outcomes[Result]:
    """Run flows in threads.

    One is created after the other and all run at once: Prefect's server on SQLite answers a second
    creation at the same moment with 503, for which its client waits two seconds and more.
    """
    threads = ThreadPoolExecutor(max_workers=max(1, len(subflows)), thread_name_prefix="flow")
    with threads:
        futures = {}
        for name, subflow in subflows.items():
            with tags(*stage.category(name).tags):
                futures[name] = _begin(threads, subflow)
        return _collect({name: future.result for name, future in futures.items()})


def _begin(threads: ThreadPoolExecutor, subflow: Subflow[Result]) -> Future[Result]:
    begun = Event()
    call = partial(_announcing(subflow.flow, begun), subflow.argument, run_date())
    future = threads.submit(contextvars.copy_context().run, call)
    future.add_done_callback(lambda _: begun.set())  # it may fail before its body begins
    begun.wait()
    return future


def _announcing(flow: Flow[..., Result], begun: Event) -> Flow[..., Result]:
    """Return the flow with a body that first says that it has begun."""
    announcing = flow.with_options()

    @wraps(flow.fn)
    def body(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        return flow.fn(*args, **kwargs)

    announcing.fn = body
    return announcing


def _collect(calls: Mapping[str, Callable[[], Result]]) -> Outcomes[Result]:
    results: dict[str, Result] = {}
    failures: dict[str, Exception] = {}
    for name, call in calls.items():
        try:
            results[name] = call()
        except Exception as error:  # noqa: BLE001 - kept by name; require_all raises it
            failures[name] = error
    return Outcomes(results, failures)


def _parts(outcome: object) -> list[Any]:
    if isinstance(outcome, PartialFailureError):
        return list(outcome.results)
    return list(outcome) if isinstance(outcome, list | tuple) else []


def _unique(key: str, taken: Mapping[str, Hashable]) -> str:
    if key in taken:
        raise ConfigError(f"The name {key!r} stands twice in the configuration", "Rename one")
    return key


def describe_failure(error: Exception) -> str:
    """Give one line on an error; that of a partial failure names each part that failed."""
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    if isinstance(error, PartialFailureError):
        return f"{error.message}{notes}"
    text = str(error).splitlines()[0] if str(error) else ""
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + notes
