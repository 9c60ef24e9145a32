"""Deployments; those with our tag are ours."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    GlobalConcurrencyLimitUpdate,
)
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    ConcurrencyOptions,
    DeploymentSchedule,
)
from prefect.client.schemas.responses import DeploymentResponse, GlobalConcurrencyLimitResponse
from prefect.client.schemas.schedules import CronSchedule
from pydantic import JsonValue

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import MANAGED_TAG, owners_of
from airnub_prefect_starter.control.desired import ConcurrencySpec, DeploymentSpec, ScheduleSpec
from airnub_prefect_starter.control.parameter_schemas import Found, Schema, parameter_schemas
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages


class Deployments(Kind[DeploymentSpec]):
    """Deployments by flow name and name."""

    name = "deployment"

    def __init__(self, wanted: Mapping[str, DeploymentSpec], cache: Path) -> None:
        super().__init__(wanted)
        self._cache = cache
        self._schemas: dict[str, Found] = {}

    def prepare(self, specs: Collection[DeploymentSpec]) -> None:
        """See ``Kind.prepare``."""
        self._schemas |= parameter_schemas(specs, self._cache)

    def describe(self, spec: DeploymentSpec) -> Fields:
        """See ``Kind.describe``.

        Raises:
            ConfigError: The flow's file cannot be loaded, or holds another flow. No retry.
        """
        return {
            **_plain(spec),
            "schedules": _ordered(_schedule(each) for each in spec.schedules),
            "concurrency": _concurrency(spec.concurrency),
            "parameter_openapi_schema": self._parameter_schema(spec),
        }

    def owners(self, spec: DeploymentSpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return spec.owners

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        return {
            key: Current(
                str(each.id),
                _registered(each),
                managed=MANAGED_TAG in each.tags,
                owners=owners_of(each.tags),
            )
            for key, each in read_deployments(client).items()
        }

    def write(
        self,
        client: SyncPrefectClient,
        spec: DeploymentSpec,
        current: Current | None,
    ) -> None:
        """See ``Kind.write``; the API replaces one of the same name, whose id is kept."""
        deployment_id = client.create_deployment(
            flow_id=client.create_flow_from_name(spec.flow_name),
            name=spec.name,
            schedules=[_schedule_create(each) for each in spec.schedules],
            concurrency_limit=spec.concurrency.limit if spec.concurrency else None,
            concurrency_options=_concurrency_options(spec.concurrency),
            parameter_openapi_schema=self._parameter_schema(spec),
            **_plain(spec),
        )
        if spec.concurrency and current:
            # The limit has a page of its own, where it can be switched off; the API leaves it so.
            client.update_global_concurrency_limit(
                f"deployment:{deployment_id}", GlobalConcurrencyLimitUpdate(active=True)
            )

    def delete(self, client: SyncPrefectClient, current: Current) -> None:
        """See ``Kind.delete``."""
        client.delete_deployment(UUID(current.id))

    def _parameter_schema(self, spec: DeploymentSpec) -> Schema:
        found = self._schemas[spec.key]
        if isinstance(found, ConfigError):
            raise found
        return found


def read_deployments(client: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    """Read all deployments by ``flow name/deployment name``."""
    flows = {
        each.id: each.name
        for each in pages(lambda limit, offset: client.read_flows(limit=limit, offset=offset))
    }
    found = pages(lambda limit, offset: client.read_deployments(limit=limit, offset=offset))
    return {f"{flows.get(each.flow_id, each.flow_id)}/{each.name}": each for each in found}


def _plain(spec: DeploymentSpec) -> dict[str, Any]:
    return {
        "description": spec.description,
        "tags": sorted({MANAGED_TAG, *spec.tags}),
        "work_pool_name": spec.pool,
        "work_queue_name": spec.queue or "default",
        "parameters": dict(spec.parameters),
        "job_variables": dict(spec.job_variables),
        "path": str(spec.path),
        "entrypoint": spec.entrypoint,
        # Without this step the worker would copy the whole folder for each run.
        "pull_steps": [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(spec.path)}}
        ],
        "paused": False,
        "enforce_parameter_schema": True,
    }


def _registered(deployment: DeploymentResponse) -> Fields:
    names = set(_plain(_NOTHING)) - {"tags"}
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    return {
        **deployment.model_dump(mode="json", include=names),
        "tags": sorted(deployment.tags),
        "schedules": _ordered(_registered_schedule(each) for each in deployment.schedules),
        "concurrency": _registered_concurrency(limit, options),
        "parameter_openapi_schema": deployment.parameter_openapi_schema,
    }


_NOTHING = DeploymentSpec("", "", "", Path(), "")


def _ordered(schedules: Iterable[JsonValue]) -> list[JsonValue]:
    # The API returns those first that were changed last.
    return sorted(schedules, key=lambda each: json.dumps(each, sort_keys=True))


def _schedule(spec: ScheduleSpec) -> JsonValue:
    return {"cron": spec.cron, "timezone": spec.timezone, "day_or": True, "active": spec.active}


def _schedule_create(spec: ScheduleSpec) -> DeploymentScheduleCreate:
    schedule = CronSchedule(cron=spec.cron, timezone=spec.timezone)
    return DeploymentScheduleCreate(schedule=schedule, active=spec.active)


def _registered_schedule(schedule: DeploymentSchedule) -> JsonValue:
    fields: dict[str, JsonValue] = schedule.schedule.model_dump(mode="json")
    # What a person may add to a schedule and Git never has.
    more = schedule.model_dump(mode="json", include={"parameters", "slug", "max_scheduled_runs"})
    return {**fields, "active": schedule.active, **{k: v for k, v in more.items() if v}}


def _concurrency(spec: ConcurrencySpec | None) -> JsonValue:
    if spec is None:
        return None
    return {
        "limit": spec.limit,
        "active": True,
        "collision_strategy": spec.collision_strategy,
        "grace_period_s": spec.grace_period_s,
    }


def _concurrency_options(spec: ConcurrencySpec | None) -> ConcurrencyOptions | None:
    if spec is None:
        return None
    return ConcurrencyOptions(
        collision_strategy=ConcurrencyLimitStrategy(spec.collision_strategy),
        grace_period_seconds=spec.grace_period_s,
    )


def _registered_concurrency(
    limit: GlobalConcurrencyLimitResponse | None, options: ConcurrencyOptions | None
) -> JsonValue:
    if limit is None:
        return None
    return {
        "limit": limit.limit,
        "active": limit.active,
        "collision_strategy": options.collision_strategy.value if options else None,
        "grace_period_s": options.grace_period_seconds if options else None,
    }


def known_ids(client: SyncPrefectClient, keys: Iterable[str]) -> dict[str, UUID]:
    """Find the ids of deployments by their full names; unknown ones are left out."""
    registered = read_deployments(client)
    return {key: registered[key].id for key in keys if key in registered}
