"""Work pools and their queues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool, WorkQueue
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker
from pydantic import JsonValue

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.control.desired import WorkPoolSpec, WorkQueueSpec, queue_owner
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages

_WORKER_METADATA = files("prefect").joinpath(
    "server", "api", "collections_data", "views", "aggregate-worker-metadata.json"
)

# Queues have no tags: this opens the description of those that are ours.
MANAGED_MARK = "[airnub]"


class WorkPools(Kind[WorkPoolSpec]):
    """Work pools by name; none is ever deleted."""

    name = "work pool"

    def describe(self, spec: WorkPoolSpec) -> Fields:
        """See ``Kind.describe``."""
        return {"type": spec.type, **_settable(spec)}

    def owners(self, spec: WorkPoolSpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return spec.owners

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        return {each.name: _current_pool(each) for each in _pools(client)}

    def write(self, client: SyncPrefectClient, spec: WorkPoolSpec, current: Current | None) -> None:
        """See ``Kind.write``.

        Raises:
            PlatformError: The pool is there with another type, which cannot be changed. No retry.
        """
        if current is None:
            fields = {"base_job_template": default_template(spec.type), **_settable(spec)}
            wanted = {"name": spec.name, "type": spec.type, **fields}
            try:
                client.create_work_pool(WorkPoolCreate.model_validate(wanted))
            except ObjectAlreadyExists:
                # A worker has made it since it was read.
                current = _current_pool(client.read_work_pool(spec.name))
            else:
                return
        if current.fields["type"] != spec.type:
            raise PlatformError(
                f"Work pool {spec.name} is of type {current.fields['type']}, not {spec.type}",
                f"Delete it (`prefect work-pool delete {spec.name}`) or name another pool",
            )
        client.update_work_pool(spec.name, WorkPoolUpdate.model_validate(_settable(spec)))


class WorkQueues(Kind[WorkQueueSpec]):
    """Queues by pool and name, in the order of their priorities.

    Prefect keeps the priorities of a pool's queues distinct by moving the others down. So the
    wanted ones are numbered 1, 2, … by priority and name, and written in that order.
    """

    name = "work queue"

    def __init__(self, wanted: Iterable[WorkQueueSpec]) -> None:
        ordered = sorted(wanted, key=lambda each: (each.pool, each.priority, each.name))
        super().__init__({each.key: each for each in ordered})
        self._ranks: dict[str, int] = {}
        for pool in {each.pool for each in ordered}:
            names = [each.key for each in ordered if each.pool == pool]
            self._ranks.update({name: rank for rank, name in enumerate(names, start=1)})

    def describe(self, spec: WorkQueueSpec) -> Fields:
        """See ``Kind.describe``."""
        return {
            "description": f"{MANAGED_MARK} {spec.description}".strip(),
            "is_paused": False,
            "concurrency_limit": spec.concurrency_limit,
            "priority": self._ranks[spec.key],
        }

    def owners(self, spec: WorkQueueSpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return spec.owners

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        # All pools: one that nobody wants any more may still have a queue of ours.
        return {
            f"{pool.name}/{queue.name}": _current_queue(pool, queue)
            for pool in _pools(client)
            for queue in _queues(client, pool.name)
        }

    def write(
        self, client: SyncPrefectClient, spec: WorkQueueSpec, current: Current | None
    ) -> None:
        """See ``Kind.write``."""
        fields = dict(self.describe(spec))
        if current is None:
            body = {"name": spec.name, **fields}
            path = {"work_pool_name": spec.pool}
            client.request(
                "POST", "/work_pools/{work_pool_name}/queues", path_params=path, json=body
            )
            return
        # Not client.update_work_queue: its endpoint does not keep the priorities distinct.
        client.request(
            "PATCH",
            "/work_pools/{work_pool_name}/queues/{name}",
            path_params={"work_pool_name": spec.pool, "name": spec.name},
            json=fields,
        )

    def delete(self, client: SyncPrefectClient, current: Current) -> None:
        """See ``Kind.delete``."""
        pool, _, name = current.id.partition("/")
        client.request(
            "DELETE",
            "/work_pools/{work_pool_name}/queues/{name}",
            path_params={"work_pool_name": pool, "name": name},
        )


def _settable(spec: WorkPoolSpec) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {
        "description": spec.description,
        "is_paused": False,
        "concurrency_limit": spec.concurrency_limit,
    }
    if spec.template_patch is not None:
        fields["base_job_template"] = _merged(default_template(spec.type), spec.template_patch)
    return fields


def _merged(target: JsonValue, patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Apply a JSON merge patch (RFC 7396): None removes, a list replaces."""
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = _merged(result.get(key), value)
        else:
            result[key] = value
    return result


def _current_pool(pool: WorkPool) -> Current:
    fields: Fields = {
        "type": pool.type,
        "description": pool.description or "",
        "is_paused": pool.is_paused,
        "concurrency_limit": pool.concurrency_limit,
        "base_job_template": pool.base_job_template,
    }
    return Current(str(pool.id), fields)


def default_template(pool_type: str) -> dict[str, JsonValue]:
    """Return the base job template that the installed packages have for a type of pool.

    Raises:
        ConfigError: There is no worker of that type. No retry.
    """
    if pool_type == "process":
        # As a worker that makes the pool gives it; what Prefect is packaged with is another.
        process: dict[str, JsonValue] = ProcessWorker.get_default_base_job_template()
        return process
    if pool_type == "kubernetes":
        return _kubernetes_template()
    # What Prefect is packaged with: the server, when asked, first looks for a newer one on GitHub.
    for workers in json.loads(_WORKER_METADATA.read_text()).values():
        if pool_type in workers:
            template: dict[str, JsonValue] = workers[pool_type]["default_base_job_configuration"]
            return template
    raise ConfigError(f"There is no worker of type {pool_type!r}", "Use process or kubernetes")


@cache
def _kubernetes_template() -> dict[str, JsonValue]:
    # Deferred: only a cluster needs it, and its client of the Kubernetes API takes seconds.
    from prefect_kubernetes.worker import (  # type: ignore[import-untyped]  # noqa: PLC0415
        KubernetesWorker,
    )

    template: dict[str, JsonValue] = KubernetesWorker.get_default_base_job_template()
    return template


def _pools(client: SyncPrefectClient) -> Iterable[WorkPool]:
    return pages(lambda limit, offset: client.read_work_pools(limit=limit, offset=offset))


def _queues(client: SyncPrefectClient, pool: str) -> Iterable[WorkQueue]:
    return pages(lambda limit, offset: client.read_work_queues(pool, limit=limit, offset=offset))


def _current_queue(pool: WorkPool, queue: WorkQueue) -> Current:
    description = queue.description or ""
    fields: Fields = {
        "description": description,
        "is_paused": queue.is_paused,
        "concurrency_limit": queue.concurrency_limit,
        "priority": queue.priority,
    }
    # A pool cannot be without its default queue.
    managed = description.startswith(MANAGED_MARK) and queue.id != pool.default_queue_id
    return Current(
        f"{pool.name}/{queue.name}", fields, managed=managed, owners=(queue_owner(queue.name),)
    )
