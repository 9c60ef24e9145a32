"""What `airnub bootstrap` must know of the cluster: the file that ``AIRNUB_CLUSTER_FILE`` names.

The Helm chart writes it. Without it everything runs on the embedded platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml

# Where Dockerfile puts the project: deployments run in this folder of the flows image.
IMAGE_ROOT = PurePosixPath("/app")
DEFAULT_RELEASE = "airnub"
MAX_RELEASE = 16

Quantity = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
_FACTORS = {
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", start=1)},
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def amount(quantity: str) -> Decimal:
    """Give a Kubernetes quantity as a number: CPUs or bytes. ``500m`` is 0.5, ``1Ki`` is 1024."""
    number = quantity.rstrip("".join(_FACTORS))
    return Decimal(number) * _FACTORS[quantity[len(number) :]]


class Quota(ConfigModel):
    """What a department's namespace may use (Kubernetes quantities)."""

    cpu: Quantity = "4"
    memory: Quantity = "8Gi"
    pods: int = Field(default=20, ge=1)


class JobSpec(ConfigModel):
    """What one flow run gets, as a Kubernetes Job."""

    cpu_request: Quantity = "250m"
    memory_request: Quantity = "512Mi"
    memory_limit: Quantity = "1Gi"
    scratch_size_limit: Quantity = "2Gi"
    ttl_seconds_after_finished: int = Field(default=3600, ge=0)
    active_deadline_seconds: int = Field(default=14_400, ge=1)
    termination_grace_period_seconds: int = Field(default=90, ge=0)
    backoff_limit: int = Field(default=0, ge=0)
    priority_class_name: str | None = None
    env: Mapping[str, str] = {}


class JobOverrides(ConfigModel):
    """What the runs of one department get instead; None for what all get."""

    image: str | None = None
    cpu_request: Quantity | None = None
    memory_request: Quantity | None = None
    memory_limit: Quantity | None = None
    scratch_size_limit: Quantity | None = None
    active_deadline_seconds: int | None = Field(default=None, ge=1)


class S3Spec(ConfigModel):
    """The object store and the Secret with a department's key to it."""

    endpoint_url: str | None = Field(default=None, description="None for AWS")
    region: str = "us-east-1"
    secret_name: str
    embedded: bool = Field(
        default=False, description="Bucket, users and policies are made by `airnub bootstrap`"
    )

    @model_validator(mode="after")
    def _embedded_has_an_address(self) -> S3Spec:
        if self.embedded and not self.endpoint_url:
            raise ValueError("an embedded object store needs endpoint_url")
        return self


class PoolSpec(ConfigModel):
    """A work pool on the cluster."""

    concurrency_limit: int | None = Field(default=None, ge=1)


class SelfHealing(ConfigModel):
    """After how long a silent run is given a final state, in seconds."""

    heartbeat_seconds: int = Field(default=60, ge=30, description="Prefect accepts 30 and more")
    zombie_seconds: int = Field(default=180, ge=10)
    stuck_start_seconds: int = Field(default=900, ge=10)

    @model_validator(mode="after")
    def _one_heartbeat_may_be_missed(self) -> SelfHealing:
        if self.zombie_seconds < 2 * self.heartbeat_seconds:
            raise ValueError("zombie_seconds must be at least twice heartbeat_seconds")
        return self


class ReleaseDepartment(ConfigModel):
    """A department as the release has it: its file, with the chart's values over it."""

    display_name: str = Field(alias="displayName")
    namespace: str = Field(description="With the release's name")
    service_account: str = Field(alias="serviceAccount")
    work_pool: str = Field(alias="workPool")
    image: str | None = Field(default=None, description="Of its runs; None for the release's")
    quota: Quota


class GenericJobs(ConfigModel):
    """How the runs of flows of no department become Jobs in the release's own namespace."""

    work_pool: str = "airnub"
    namespace: str = DEFAULT_RELEASE
    service_account: str = f"{DEFAULT_RELEASE}-generic"
    config_map: str = Field(
        default=f"{DEFAULT_RELEASE}-cluster", description="Holds this file, as cluster.yaml"
    )
    labels: Mapping[str, str] = Field(
        default={
            "app.kubernetes.io/name": "airnub-prefect",
            "app.kubernetes.io/instance": DEFAULT_RELEASE,
            "app.kubernetes.io/component": "generic",
        },
        description="What the release's network policies know their pods by",
    )
    env: Mapping[str, str] = Field(default={}, description="What ${NAME} stands for")


class ClusterConfig(ConfigModel):
    """``cluster.yaml`` of the chart's ConfigMap."""

    release: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=MAX_RELEASE)
    ] = DEFAULT_RELEASE
    api_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")] = Field(
        description="Address of Prefect's API as runs see it"
    )
    api_embedded: bool = Field(
        default=True, description="It is the release's own server, reached without a proxy"
    )
    flows_image: Annotated[str, StringConstraints(min_length=1)]
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    s3: S3Spec
    department_secret_name: str
    job: JobSpec = JobSpec()
    pools: Mapping[str, PoolSpec] = {}
    self_healing: SelfHealing = SelfHealing()
    generic: GenericJobs | None = Field(
        default=None, description="None: flows of no department are not registered"
    )
    departments: Mapping[str, ReleaseDepartment] = Field(
        default={}, description="Identifier → what the release has; empty: as in their files"
    )

    def namespace(self, name: str) -> str:
        """Give a department's namespace as it is called on the cluster."""
        return f"{self.release}-{name}"


def load_cluster(settings: Settings) -> ClusterConfig | None:
    """Read the cluster's file; None where the settings name none.

    Raises:
        ConfigError: Something is wrong with the file; one line per mistake. No retry.
    """
    if settings.cluster_file is None:
        return None
    return load_yaml(settings.cluster_file, ClusterConfig)
