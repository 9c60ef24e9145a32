"""What should be registered, as plain values. Prefect-free: anyone may build it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from pydantic import JsonValue, SecretStr

from airnub_prefect_starter.common.names import MANAGED_TAG, Department, owners_of


@dataclass(frozen=True)
class VariableSpec:
    """A Prefect Variable."""

    name: str
    value: JsonValue
    tags: tuple[str, ...] = (MANAGED_TAG,)

    @property
    def owners(self) -> tuple[str, ...]:
        """The departments that it belongs to."""
        return owners_of(self.tags)


@dataclass(frozen=True)
class ContentStoreSpec:
    """A department's ``ContentStore`` block; ``url`` is that of the department's own store.

    Of a bucket also the server, its region, and the Kubernetes Secret with the runs' keys.
    """

    name: str
    department: str
    url: str
    durability: Literal["full", "batch", "none"] = "full"
    endpoint_url: str | None = None
    region: str | None = None
    credentials_secret: str | None = None

    @property
    def owners(self) -> tuple[str, ...]:
        """The department that it belongs to."""
        return (self.department,)


@dataclass(frozen=True)
class SecretSpec:
    """A Secret block, filled from the environment; its value is never shown.

    A value of None says that ``variable`` is not set: the block cannot be registered.
    """

    name: str
    value: SecretStr | None
    variable: str = ""
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkPoolSpec:
    """A work pool.

    Attributes:
        template_patch: JSON merge patch (RFC 7396) over the default template of the pool's type;
            without one the pool gets that template once, and what it becomes is not compared.
        owners: The departments whose runs it has.
    """

    name: str
    type: str = "process"
    description: str = ""
    concurrency_limit: int | None = None
    template_patch: Mapping[str, JsonValue] | None = None
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkQueueSpec:
    """A queue of a work pool. Equal priorities are ordered by name: Prefect keeps them distinct."""

    pool: str
    name: str
    description: str = ""
    concurrency_limit: int | None = None
    priority: int = 1

    @property
    def key(self) -> str:
        """Its pool and name."""
        return f"{self.pool}/{self.name}"

    @property
    def owners(self) -> tuple[str, ...]:
        """The department that it belongs to."""
        return (queue_owner(self.name),)


def queue_owner(name: str) -> str:
    """Read from a queue's name whose it is: ``project_alpha``, ``project_alpha-categories``."""
    return name.partition("-")[0]


@dataclass(frozen=True)
class LimitSpec:
    """A global concurrency limit; its name begins with its department's."""

    name: str
    slots: int

    @property
    def owners(self) -> tuple[str, ...]:
        """The department that it belongs to."""
        return (self.name.partition(".")[0],)


@dataclass(frozen=True)
class ScheduleSpec:
    """When a deployment runs by itself: five cron fields in an IANA time zone."""

    cron: str
    timezone: str = "UTC"
    active: bool = True


@dataclass(frozen=True)
class ConcurrencySpec:
    """How many runs of a deployment may run at once, and what becomes of the next."""

    limit: int
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    grace_period_s: int = 600


@dataclass(frozen=True)
class DeploymentSpec:
    """A deployment.

    Attributes:
        name: Its name below the flow's.
        flow_name: The flow's name in Prefect; the loaded flow must have it.
        entrypoint: ``flows/dept_x/….py:function``, relative to ``path``.
        path: Folder in which it runs: the project's root, where its runs take place.
        source: The project's root here, from which the flow is loaded; None if that is ``path``.
        job_variables: ``{"env": {…}}`` and what else the pool's template knows.
    """

    name: str
    flow_name: str
    entrypoint: str
    path: PurePath
    pool: str
    queue: str | None = None
    description: str = ""
    tags: tuple[str, ...] = (MANAGED_TAG,)
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    schedules: tuple[ScheduleSpec, ...] = ()
    concurrency: ConcurrencySpec | None = None
    job_variables: Mapping[str, JsonValue] = field(default_factory=dict)
    source: Path | None = None

    @property
    def key(self) -> str:
        """Its full name: ``flow name/deployment name``."""
        return f"{self.flow_name}/{self.name}"

    @property
    def owners(self) -> tuple[str, ...]:
        """The departments that it belongs to."""
        return owners_of(self.tags)


@dataclass(frozen=True)
class AutomationSpec:
    """Runs one deployment after each run of another that ended so; both by their full names."""

    name: str
    after: str
    run: str
    description: str = ""
    tags: tuple[str, ...] = (MANAGED_TAG,)
    when: Literal["completed", "failed"] = "completed"


@dataclass(frozen=True)
class EventRuleSpec:
    """Does something to a flow run when events come, or stay away.

    Attributes:
        trigger: An event trigger in the form that Prefect's API has.
        action: An action in the same form.
    """

    name: str
    trigger: Mapping[str, JsonValue]
    action: Mapping[str, JsonValue]
    description: str = ""
    tags: tuple[str, ...] = (MANAGED_TAG,)


@dataclass(frozen=True)
class StoreUserSpec:
    """A department's key to the embedded object store, and the prefix that it opens."""

    department: Department
    access_key: str
    secret_key: SecretStr
    prefix: str


@dataclass(frozen=True)
class ObjectStoreSpec:
    """The embedded object store (MinIO): its root key, the bucket and the departments' keys."""

    endpoint_url: str
    region: str
    root_user: SecretStr
    root_password: SecretStr
    bucket: str
    users: tuple[StoreUserSpec, ...] = ()


@dataclass(frozen=True)
class DesiredState:
    """Everything that should be registered."""

    variables: tuple[VariableSpec, ...] = ()
    stores: tuple[ContentStoreSpec, ...] = ()
    secrets: tuple[SecretSpec, ...] = ()
    pools: tuple[WorkPoolSpec, ...] = ()
    queues: tuple[WorkQueueSpec, ...] = ()
    limits: tuple[LimitSpec, ...] = ()
    deployments: tuple[DeploymentSpec, ...] = ()
    automations: tuple[AutomationSpec | EventRuleSpec, ...] = ()
    object_store: ObjectStoreSpec | None = None
