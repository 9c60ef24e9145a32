"""Fan out in steps: what needs something that failed is not run, and fails by name."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from prefect import Task

from airnub_prefect_starter.common.errors import RunFailedError
from airnub_prefect_starter.tasks.fan_out import HasSourceId, Outcomes, Result, fan_out, source_id

Step = TypeVar("Step", bound=HasSourceId)


def fan_out_after(
    done: Outcomes[Result],
    task: Task[..., Result],
    items: Iterable[Step],
    *,
    needs: Callable[[Step], Iterable[str]],
) -> Outcomes[Result]:
    """Submit a task for every item whose needs did not fail; give these outcomes and the earlier.

    Args:
        done: What became of earlier items.
        task: Takes one item.
        items: What to work on; named by ``source_id``.
        needs: Gives the names of what an item needs; one that is not among ``done`` was made by
            another run.
    """
    ready, blocked = [], {}
    for item in items:
        failed = [name for name in needs(item) if name in done.failures]
        if failed:
            blocked[item.source_id] = _not_run(failed)
        else:
            ready.append(item)
    now = fan_out(task, ready, name=source_id)
    return Outcomes({**done.results, **now.results}, {**done.failures, **now.failures, **blocked})


def _not_run(failed: list[str]) -> Exception:
    return RunFailedError(f"not run, since {', '.join(failed)} failed", "Correct that first")
