"""Deployments of the flows of no department."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import GENERIC, LABELS, GenericFlow
from airnub_prefect_starter.control.desired import DeploymentSpec, ScheduleSpec
from airnub_prefect_starter.control.environment import RUN_ENVIRONMENT
from airnub_prefect_starter.control.job_template import CLUSTER_FOLDER, SCRATCH
from airnub_prefect_starter.core.cluster import IMAGE_ROOT, GenericJobs
from airnub_prefect_starter.core.departments import DEFAULT_POOL
from airnub_prefect_starter.core.generic_flows import GenericFlowSpec, load_generic_flows


def generic_deployments(root: Path) -> Iterator[DeploymentSpec]:
    """Describe the deployments, with their runs as processes.

    Raises:
        ConfigError: A flow has no file, or their configuration is wrong. No retry.
    """
    for flow, spec in load_generic_flows(root).named():
        if not (root / flow.flow_file).is_file():
            raise ConfigError(f"{flow.deployment}: there is no {flow.flow_file}", "Add the flow")
        yield _deployment(flow, spec, root)


def generic_job(
    spec: DeploymentSpec, root: Path, jobs: GenericJobs, image: str | None
) -> DeploymentSpec:
    """Describe the same deployment with its runs as Jobs in the release's own namespace."""
    flow = spec.name.rpartition(".")[2]
    return replace(
        spec,
        pool=jobs.work_pool,
        path=IMAGE_ROOT,
        source=root,
        job_variables={
            "env": {
                **RUN_ENVIRONMENT,
                # The schemas of parameters are written there: the project's folder is read-only.
                "AIRNUB_HOME": f"{SCRATCH}/airnub",
                "AIRNUB_CLUSTER_FILE": f"{CLUSTER_FOLDER}/cluster.yaml",
                **jobs.env,
            },
            "namespace": jobs.namespace,
            "service_account_name": jobs.service_account,
            "labels": {**jobs.labels, f"{LABELS}/{GENERIC}": flow},
            # They compare what Prefect has: no key to any store is in that namespace.
            "store_key_optional": True,
            "cluster_volume": {"name": "cluster", "configMap": {"name": jobs.config_map}},
            "cluster_mount": {"name": "cluster", "mountPath": CLUSTER_FOLDER, "readOnly": True},
            **({"image": image} if image else {}),
        },
    )


def _deployment(flow: GenericFlow, spec: GenericFlowSpec, root: Path) -> DeploymentSpec:
    schedule = spec.schedule
    return DeploymentSpec(
        name=flow.deployment,
        flow_name=flow.flow_name,
        entrypoint=f"{flow.flow_file}:{flow.flow_function}",
        path=root,
        pool=DEFAULT_POOL,
        description=spec.description,
        tags=flow.tags,
        schedules=(ScheduleSpec(schedule.cron, schedule.timezone, schedule.active),),
        job_variables={"env": dict(RUN_ENVIRONMENT)},
    )
