"""From the departments' files to what should be registered with Prefect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from airnub_prefect_starter.common.names import (
    Category,
    Department,
    Stage,
    parse_deployment,
    run_labels,
)
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.category_configs import load_variables
from airnub_prefect_starter.control.desired import (
    AutomationSpec,
    ConcurrencySpec,
    ContentStoreSpec,
    DeploymentSpec,
    DesiredState,
    LimitSpec,
    ScheduleSpec,
    SecretSpec,
    VariableSpec,
    WorkPoolSpec,
    WorkQueueSpec,
)
from airnub_prefect_starter.control.environment import RUN_ENVIRONMENT
from airnub_prefect_starter.control.generic import generic_deployments, generic_job
from airnub_prefect_starter.control.job_template import template_patch
from airnub_prefect_starter.control.self_healing import self_healing
from airnub_prefect_starter.control.store_users import object_store
from airnub_prefect_starter.core.cluster import (
    IMAGE_ROOT,
    ClusterConfig,
    GenericJobs,
    JobSpec,
    PoolSpec,
    S3Spec,
    load_cluster,
)
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry
from airnub_prefect_starter.core.placement import (
    capacity,
    placed,
    require_room,
    require_slots,
    room_for_backfills,
    room_for_categories,
)
from airnub_prefect_starter.core.store import department_url
from airnub_prefect_starter.core.store.s3_address import parse_s3_url

# Backfills can wait, also for the runs of other departments that are due.
_AFTER_ALL = 1_000


def desired_state(
    catalog: Catalog, settings: Settings, *, with_object_store: bool = True
) -> DesiredState:
    """Compute everything that should be registered.

    Args:
        catalog: The departments.
        settings: What differs from place to place.
        with_object_store: Also the embedded object store's users, which needs their keys.

    Raises:
        ConfigError: The cluster's file is wrong, or does not fit the departments. No retry.
        ExceptionGroup: Of one ConfigError per mistake in the configuration files. No retry.
    """
    cluster = load_cluster(settings)
    if cluster is None:
        return _with_processes(catalog, settings)
    catalog = placed(catalog, cluster)
    desired = _with_jobs(catalog, cluster, settings)
    if with_object_store:
        return replace(desired, object_store=object_store(catalog, cluster, settings))
    return desired


def _with_processes(catalog: Catalog, settings: Settings) -> DesiredState:
    entries = catalog.entries.values()
    found = deployments(catalog)
    return replace(
        _common(catalog, settings),
        secrets=tuple(secret for entry in entries for secret in _secrets(entry, settings)),
        pools=tuple(_pools(catalog, {each.pool for each in found})),
        queues=tuple(queue for entry in entries for queue in _queues(entry)),
        deployments=found,
    )


def _with_jobs(catalog: Catalog, cluster: ClusterConfig, settings: Settings) -> DesiredState:
    require_room(catalog, cluster.job)
    require_slots(catalog, cluster)
    parse_s3_url(settings.store_url)  # a folder would be gone with the pod
    common = _common(catalog, settings)
    entries = catalog.entries.values()
    namespaces = [cluster.namespace(entry.namespace) for entry in entries]
    if cluster.generic:
        namespaces.append(cluster.generic.namespace)
    # No Secret blocks: there a department's secrets are in the environment of its runs.
    return replace(
        common,
        stores=tuple(_in_bucket(each, cluster.s3) for each in common.stores),
        pools=tuple(_cluster_pools(catalog, cluster, settings.store_url)),
        queues=tuple(queue for entry in entries for queue in _cluster_queues(entry, cluster.job)),
        deployments=deployments(catalog, cluster.release, cluster.flows_image, cluster.generic),
        automations=(*common.automations, *self_healing(cluster.self_healing, namespaces)),
    )


def _common(catalog: Catalog, settings: Settings) -> DesiredState:
    entries = catalog.entries.values()
    return DesiredState(
        variables=tuple(_variables(catalog, settings)),
        stores=tuple(_store(entry, settings) for entry in entries),
        limits=tuple(limit for entry in entries for limit in _limits(entry)),
        automations=tuple(each for entry in entries for each in _automations(entry)),
    )


# What the `docker-container/local-worker-infra` block of earlier Prefect versions was.
DOCKER_POOL = WorkPoolSpec(
    "local-worker-infra", type="docker", description="Runs in local Docker containers"
)


def deployments(
    catalog: Catalog,
    release: str | None = None,
    image: str | None = None,
    generic: GenericJobs | None = None,
) -> tuple[DeploymentSpec, ...]:
    """Compute every deployment: each stage's and its categories', then those of no department.

    Args:
        catalog: The departments.
        release: The Helm release in whose namespaces the runs are Jobs; None for processes here.
        image: The image of the Jobs; None for that of the work pool.
        generic: How those of no department are Jobs; a release without it has none.
    """
    found = tuple(
        _deployment(entry, flow, catalog.root)
        for entry in catalog.entries.values()
        for flow in _flows(entry)
    )
    others = generic_deployments(catalog.root)
    if release is None:
        return (*found, *others)
    jobs = (_as_job(each, catalog, release, image) for each in found)
    return (*jobs, *(generic_job(each, catalog.root, generic, image) for each in others if generic))


def _variables(catalog: Catalog, settings: Settings) -> Iterator[VariableSpec]:
    for stage, variables in load_variables(catalog, settings).items():
        for name, value in variables.items():
            yield VariableSpec(name, value, tags=stage.tags)


def _store(entry: DepartmentEntry, settings: Settings) -> ContentStoreSpec:
    return ContentStoreSpec(
        name=entry.name.block,
        department=entry.name.id,
        url=department_url(settings.store_url, entry.name.id),
        durability=settings.durability,
    )


def _in_bucket(store: ContentStoreSpec, s3: S3Spec) -> ContentStoreSpec:
    return replace(
        store,
        endpoint_url=s3.endpoint_url,
        region=s3.region,
        credentials_secret=s3.secret_name,
    )


def _secrets(entry: DepartmentEntry, settings: Settings) -> Iterator[SecretSpec]:
    for name, variable in entry.spec.secrets.items():
        yield SecretSpec(
            entry.secret_block(name), settings.secret(variable), variable, (entry.name.id,)
        )


def _pools(catalog: Catalog, names: Collection[str] = ()) -> Iterator[WorkPoolSpec]:
    users = defaultdict[str, list[Department]](list, {name: [] for name in names})
    for entry in catalog.entries.values():
        users[entry.spec.work_pool].append(entry.name)
    for name in sorted(users):
        listed = ", ".join(each.display_name for each in users[name])
        yield WorkPoolSpec(
            name,
            description=f"Runs of {listed}" if listed else "",
            template_patch={},
            owners=tuple(each.id for each in users[name]),
        )


def _cluster_pools(
    catalog: Catalog, cluster: ClusterConfig, store_url: str
) -> Iterator[WorkPoolSpec]:
    patch = template_patch(cluster, store_url)
    for pool in _pools(catalog):
        spec = cluster.pools.get(pool.name, PoolSpec())
        yield replace(
            pool,
            type="kubernetes",
            concurrency_limit=spec.concurrency_limit,
            template_patch=patch,
        )


def _queues(entry: DepartmentEntry) -> Iterator[WorkQueueSpec]:
    yield WorkQueueSpec(
        pool=entry.spec.work_pool,
        name=entry.name.queue,
        description=entry.name.display_name,
        concurrency_limit=entry.spec.queue.concurrency_limit,
        priority=entry.spec.queue.priority,
    )
    if entry.waiting_runs:
        # In the department's own queue they could wait for the stages that wait for them.
        yield WorkQueueSpec(
            pool=entry.spec.work_pool,
            name=entry.name.categories_queue,
            description=f"Categories of {entry.name.display_name}",
            concurrency_limit=entry.spec.queue.categories_concurrency_limit,
            priority=entry.spec.queue.priority,
        )
    if entry.spec.backfill:
        yield WorkQueueSpec(
            pool=entry.spec.work_pool,
            name=entry.name.backfill_queue,
            description=f"Backfills of {entry.name.display_name}",
            concurrency_limit=entry.spec.backfill.concurrency_limit,
            priority=_AFTER_ALL + entry.spec.queue.priority,
        )


def _cluster_queues(entry: DepartmentEntry, job: JobSpec) -> Iterator[WorkQueueSpec]:
    # A run beyond the quota waits here: as a Job without a pod it would hold a slot of the pool
    # and be taken for one that does not start.
    of_categories, of_backfills = room_for_categories(entry, job), room_for_backfills(entry, job)
    rooms = {
        entry.name.queue: capacity(entry, job) - of_categories - of_backfills,
        entry.name.categories_queue: of_categories,
        entry.name.backfill_queue: of_backfills,
    }
    for queue in _queues(entry):
        room = rooms[queue.name]
        yield replace(queue, concurrency_limit=min(queue.concurrency_limit or room, room))


def _limits(entry: DepartmentEntry) -> Iterator[LimitSpec]:
    for name, slots in entry.spec.limits.items():
        yield LimitSpec(entry.limit(name), slots)


def _flows(entry: DepartmentEntry) -> Iterator[Stage | Category]:
    for stage, _ in entry.stages():
        yield stage
        yield from entry.categories(stage.id)


def _deployment(entry: DepartmentEntry, flow: Stage | Category, root: Path) -> DeploymentSpec:
    """Describe the deployment of a stage, which may have schedules and a limit, or a category."""
    spec = entry.spec.stages[flow.id] if isinstance(flow, Stage) else None
    return DeploymentSpec(
        name=flow.deployment,
        flow_name=flow.flow_name,
        entrypoint=f"{flow.flow_file}:{flow.flow_function}",
        path=root,
        pool=entry.spec.work_pool,
        queue=entry.name.queue,
        description=_description(entry, flow),
        tags=flow.tags,
        schedules=tuple(
            ScheduleSpec(each.cron, each.timezone, each.active) for each in spec.schedules
        )
        if spec
        else (),
        concurrency=ConcurrencySpec(
            spec.concurrency.limit, spec.concurrency.on_collision, spec.concurrency.grace_period_s
        )
        if spec
        else None,
        job_variables={
            "env": {
                **RUN_ENVIRONMENT,
                "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": f"content-store/{entry.name.block}",
                **({"AIRNUB_ISOLATION": "job"} if spec and spec.isolation == "job" else {}),
            }
        },
    )


def _as_job(
    spec: DeploymentSpec, catalog: Catalog, release: str, image: str | None
) -> DeploymentSpec:
    """Describe the same deployment with its runs as Kubernetes Jobs."""
    department, stage, category = parse_deployment(spec.name)
    entry = catalog.department(department)
    kubernetes = entry.spec.kubernetes
    return replace(
        spec,
        path=IMAGE_ROOT,
        source=catalog.root,
        job_variables={
            **spec.job_variables,
            "namespace": f"{release}-{entry.namespace}",
            "service_account_name": kubernetes.service_account,
            "labels": dict(run_labels(department, stage, category)),
            **({"image": image} if image else {}),
            **kubernetes.job.model_dump(exclude_none=True),
        },
    )


def _description(entry: DepartmentEntry, flow: Stage | Category) -> str:
    if isinstance(flow, Stage):
        return entry.spec.stages[flow.id].description
    return entry.spec.stages[flow.stage.id].categories[flow.id].description


def _automations(entry: DepartmentEntry) -> Iterator[AutomationSpec]:
    for stage, spec in entry.stages():
        for target in spec.on_success:
            yield _automation(entry, stage, target, "completed")
        for target in spec.on_failure:
            yield _automation(entry, stage, target, "failed")


def _automation(
    entry: DepartmentEntry, stage: Stage, target: str, when: Literal["completed", "failed"]
) -> AutomationSpec:
    following = entry.name.stage(target)
    arrow = "→" if when == "completed" else "failed →"
    return AutomationSpec(
        name=f"{stage.deployment} {arrow} {following.deployment}",
        after=f"{stage.flow_name}/{stage.deployment}",
        run=f"{following.flow_name}/{following.deployment}",
        description=f"Runs {target} after each {when} {stage.id}",
        tags=entry.name.tags,
        when=when,
    )
