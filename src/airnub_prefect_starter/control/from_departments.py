"""From the departments' files to what should be registered with Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airnub_prefect_starter.common.names import Category, Stage
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
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry, StageSpec
from airnub_prefect_starter.core.store import department_url


def desired_state(catalog: Catalog, settings: Settings) -> DesiredState:
    """Compute everything that should be registered.

    Raises:
        ExceptionGroup: Of one ConfigError per mistake in the configuration files. No retry.
    """
    entries = catalog.entries.values()
    pools = sorted({entry.spec.work_pool for entry in entries})
    return DesiredState(
        variables=tuple(_variables(catalog, settings)),
        stores=tuple(_store(entry, settings) for entry in entries),
        secrets=tuple(secret for entry in entries for secret in _secrets(entry, settings)),
        pools=tuple(_pool(name, catalog) for name in pools),
        queues=tuple(_queue(entry) for entry in entries),
        limits=tuple(limit for entry in entries for limit in _limits(entry)),
        deployments=deployments(catalog),
        automations=tuple(each for entry in entries for each in _automations(entry)),
    )


# What the `docker-container/local-worker-infra` block of earlier Prefect versions was.
DOCKER_POOL = WorkPoolSpec(
    "local-worker-infra", type="docker", description="Runs in local Docker containers"
)


def deployments(catalog: Catalog) -> tuple[DeploymentSpec, ...]:
    """Compute every deployment: each stage's, then each category's."""
    return tuple(
        spec for entry in catalog.entries.values() for spec in _deployments(entry, catalog.root)
    )


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


def _secrets(entry: DepartmentEntry, settings: Settings) -> Iterator[SecretSpec]:
    for name, variable in entry.spec.secrets.items():
        yield SecretSpec(entry.secret_block(name), settings.secret(variable), variable)


def _pool(name: str, catalog: Catalog) -> WorkPoolSpec:
    users = [e.name.display_name for e in catalog.entries.values() if e.spec.work_pool == name]
    return WorkPoolSpec(name, description=f"Runs of {', '.join(users)}")


def _queue(entry: DepartmentEntry) -> WorkQueueSpec:
    return WorkQueueSpec(
        pool=entry.spec.work_pool,
        name=entry.name.queue,
        description=entry.name.display_name,
        concurrency_limit=entry.spec.queue.concurrency_limit,
        priority=entry.spec.queue.priority,
    )


def _limits(entry: DepartmentEntry) -> Iterator[LimitSpec]:
    for name, slots in entry.spec.limits.items():
        yield LimitSpec(entry.limit(name), slots)


def _deployments(entry: DepartmentEntry, root: Path) -> Iterator[DeploymentSpec]:
    for stage, spec in entry.stages():
        yield _deployment(entry, stage, root, spec)
        for category in entry.categories(stage.id):
            yield _deployment(entry, category, root)


def _deployment(
    entry: DepartmentEntry, flow: Stage | Category, root: Path, spec: StageSpec | None = None
) -> DeploymentSpec:
    """Describe the deployment of a stage, which may have schedules and a limit, or a category."""
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
            }
        },
    )


def _description(entry: DepartmentEntry, flow: Stage | Category) -> str:
    if isinstance(flow, Stage):
        return entry.spec.stages[flow.id].description
    return entry.spec.stages[flow.stage.id].categories[flow.id].description


def _automations(entry: DepartmentEntry) -> Iterator[AutomationSpec]:
    for stage, spec in entry.stages():
        for target in spec.on_success:
            following = entry.name.stage(target)
            yield AutomationSpec(
                name=f"{stage.deployment} → {following.deployment}",
                after=f"{stage.flow_name}/{stage.deployment}",
                run=f"{following.flow_name}/{following.deployment}",
                description=f"Runs {target} after each completed {stage.id}",
            )
