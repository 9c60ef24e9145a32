"""Where the departments' runs take place on a cluster, and how many have room there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.cluster import ClusterConfig, JobSpec, amount
from airnub_prefect_starter.core.departments import DEPARTMENTS, Catalog, DepartmentEntry


def placed(catalog: Catalog, cluster: ClusterConfig) -> Catalog:
    """Return the departments as the release has them: its values win over their files.

    Raises:
        ConfigError: The release does not have a department. No retry.
    """
    if not cluster.departments:
        return catalog
    entries = {name: _placed(entry, cluster) for name, entry in catalog.entries.items()}
    return replace(catalog, entries=entries)


def _placed(entry: DepartmentEntry, cluster: ClusterConfig) -> DepartmentEntry:
    department = cluster.departments.get(entry.name.id)
    if department is None:
        raise ConfigError(
            f"The release {cluster.release} has no department {entry.name.id}",
            "Run `airnub render` and upgrade the release with that chart: it makes the namespace",
        )
    kubernetes = entry.spec.kubernetes
    kubernetes = kubernetes.model_copy(
        update={
            "namespace": department.namespace.removeprefix(f"{cluster.release}-"),
            "service_account": department.service_account,
            "quota": department.quota,
            # An image that the department's file names is not the project's: it wins.
            "job": kubernetes.job.model_copy(
                update={"image": kubernetes.job.image or department.image}
            ),
        }
    )
    spec = entry.spec.model_copy(
        update={"kubernetes": kubernetes, "work_pool": department.work_pool}
    )
    return replace(entry, spec=spec)


def require_room(catalog: Catalog, job: JobSpec) -> None:
    """Accept quotas that leave room for one run at least, and limits that cover the requests.

    Raises:
        ExceptionGroup: Of one ConfigError per mistake, with file and numbers. No retry.
    """
    mistakes = [each for entry in catalog.entries.values() for each in _mistakes(entry, job)]
    if mistakes:
        named = "; ".join(each.message for each in mistakes)
        raise ExceptionGroup(f"{len(mistakes)} departments cannot run: {named}", mistakes)


def capacity(entry: DepartmentEntry, job: JobSpec) -> int:
    """Count the runs of a department that its quota lets run at once."""
    quota, one = entry.spec.kubernetes.quota, _job_of(entry, job)
    rooms = [quota.pods]
    for most, each in ((quota.cpu, one.cpu_request), (quota.memory, one.memory_limit)):
        if amount(each) > 0:
            rooms.append(int(amount(most) / amount(each)))
    return min(rooms)


def room_for_categories(entry: DepartmentEntry, job: JobSpec) -> int:
    """Count the category runs that have room beside a run of their stage, which waits for them."""
    if not entry.waiting_runs:
        return 0
    others = 1 if entry.spec.backfill is None else 2
    return min(entry.spec.queue.categories_concurrency_limit, capacity(entry, job) - others)


def room_for_backfills(entry: DepartmentEntry, job: JobSpec) -> int:
    """Count the runs of backfills that have room beside one that is due."""
    if entry.spec.backfill is None:
        return 0
    room = capacity(entry, job) - room_for_categories(entry, job) - 1
    return min(entry.spec.backfill.concurrency_limit, room)


def require_slots(catalog: Catalog, cluster: ClusterConfig) -> None:
    """Accept limits of pools that leave a slot for categories when every stage waits for its own.

    Raises:
        ConfigError: The waiting runs could take every slot of a pool, for ever. No retry.
    """
    for name, pool in cluster.pools.items():
        users = [each for each in catalog.entries.values() if each.spec.work_pool == name]
        waiting = {each.name.id: each.waiting_runs for each in users if each.waiting_runs}
        limit, needed = pool.concurrency_limit, sum(waiting.values()) + 1
        if waiting and limit is not None and limit < needed:
            listed = ", ".join(f"{department} {runs}" for department, runs in waiting.items())
            raise ConfigError(
                f"Work pool {name} lets {limit} run at once, and so many stages with `isolation: "
                f"job` may wait for their categories: {listed}",
                f"Raise the pool's concurrency limit to {needed} at least, or lower these "
                "stages' concurrency.limit",
            )


def _job_of(entry: DepartmentEntry, job: JobSpec) -> JobSpec:
    overrides = entry.spec.kubernetes.job.model_dump(exclude_none=True, exclude={"image"})
    return job.model_copy(update=overrides)


def _mistakes(entry: DepartmentEntry, job: JobSpec) -> Iterator[ConfigError]:
    file = DEPARTMENTS / f"{entry.name.id}.yaml"
    quota, one = entry.spec.kubernetes.quota, _job_of(entry, job)
    if amount(one.memory_request) > amount(one.memory_limit):
        yield ConfigError(
            f"{file}: kubernetes.job.memory_request: a run asks for {one.memory_request} and may "
            f"use {one.memory_limit}",
            "Lower memory_request or raise memory_limit",
        )
    for what, most, needed, field in (
        ("cpu", quota.cpu, one.cpu_request, "cpu_request"),
        ("memory", quota.memory, one.memory_limit, "memory_limit"),
    ):
        if amount(most) < amount(needed):
            yield ConfigError(
                f"{file}: kubernetes.quota.{what}: {most} is less than the {needed} of one run",
                f"Raise the quota, or set a lower kubernetes.job.{field}",
            )
    room, due = capacity(entry, job), 2 if entry.waiting_runs else 1
    if entry.waiting_runs and room == 1:
        yield ConfigError(
            f"{file}: kubernetes.quota has room for 1 run at once, and `isolation: job` needs 2: "
            "a stage's, and one of a category for which it waits",
            "Raise the quota, or leave out isolation",
        )
    elif entry.spec.backfill and 0 < room <= due:
        yield ConfigError(
            f"{file}: kubernetes.quota has room for {room} runs at once, and `backfill` needs one "
            f"beside the {due} of a stage that is due",
            "Raise the quota, or leave out backfill",
        )
