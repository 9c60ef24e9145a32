"""Departments as data: ``configs/department_mapping.yaml`` and ``configs/departments/<id>.yaml``.

One file per department is the single source of its stages, categories, owners, schedules, queue,
limits, quota and secrets. Everything generated or registered comes from here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, RootModel, StringConstraints

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import parse_identifier, unknown
from airnub_prefect_starter.common.names import Category, Department, Stage
from airnub_prefect_starter.common.settings import ROOT_MARKER, Settings
from airnub_prefect_starter.core.cluster import JobOverrides, Quota
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml

DEPARTMENTS = Path("configs", "departments")
DEFAULT_POOL = "airnub"


# Finding them means reading a folder of hundreds of files: once is enough.
_timezones = cache(available_timezones)


def _timezone(name: str) -> str:
    if name not in _timezones():
        raise ValueError("is not an IANA time zone, such as Europe/Dublin")
    return name


def _cron(text: str) -> str:
    # A sixth field would be seconds, for which a worker that polls is no clock.
    if len(text.split()) != 5:
        raise ValueError("needs five fields: minute hour day month weekday")
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"is not a cron expression: {error}") from error
    return text


Identifier = Annotated[str, AfterValidator(parse_identifier)]
Owner = Annotated[
    str,
    StringConstraints(pattern=r"^(@[A-Za-z0-9-]+(/[A-Za-z0-9._-]+)?|[^@\s]+@[^@\s]+\.[^@\s]+)$"),
]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Schedule(ConfigModel):
    """When a stage runs by itself."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(
        description="Five cron fields: minute hour day month weekday"
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    active: bool = True


class Concurrency(ConfigModel):
    """How many runs of one deployment may run at once."""

    limit: int = Field(default=1, ge=1)
    on_collision: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    grace_period_s: int = Field(
        default=600,
        ge=60,
        le=86_400,
        description="How long a starting run holds its slot, in seconds",
    )


class CategorySpec(ConfigModel):
    """A category of a stage."""

    flow_stem: Identifier | None = Field(
        default=None, description="Replaces <action>_<category> in the names of flow and file"
    )
    description: str = ""


class StageSpec(ConfigModel):
    """A stage of a department."""

    description: str = ""
    categories: Mapping[Identifier, CategorySpec] = Field(min_length=1)
    schedules: tuple[Schedule, ...] = ()
    on_success: tuple[Identifier, ...] = Field(
        default=(), description="Stages to start when a run of this one completes"
    )
    on_failure: tuple[Identifier, ...] = Field(
        default=(), description="Stages to start when a run of this one fails or crashes"
    )
    concurrency: Concurrency = Concurrency()
    isolation: Literal["process", "job"] = Field(
        default="process",
        description="Categories in the stage's process, or each as a run of its own",
    )


class QueueSpec(ConfigModel):
    """The department's work queue, and that of categories for which a stage's run waits."""

    concurrency_limit: int | None = Field(default=None, ge=1)
    categories_concurrency_limit: int = Field(
        default=4, ge=1, description="For stages with `isolation: job`"
    )
    priority: int = Field(default=1, ge=1, description="Lower runs first")


class BackfillSpec(ConfigModel):
    """The department's work queue for backfills; every queue of its pool comes before it."""

    concurrency_limit: int = Field(
        default=1, ge=1, description="On a cluster kept free of the room that the quota has"
    )


class KubernetesSpec(ConfigModel):
    """Where the department's Jobs run."""

    # The release's name and a dash come before it, and Kubernetes allows 63 characters.
    namespace: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,44}[a-z0-9])?$")] | None
    ) = Field(default=None, description="Without the release's name; `dept-<id>` by default")
    service_account: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    ] = "flow-run"
    quota: Quota = Quota()
    job: JobOverrides = Field(
        default=JobOverrides(), description="What this department's runs get instead"
    )


class DepartmentSpec(ConfigModel):
    """One department: ``configs/departments/<id>.yaml``."""

    owners: tuple[Owner, ...] = Field(min_length=1)
    description: str = ""
    work_pool: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")] = DEFAULT_POOL
    queue: QueueSpec = QueueSpec()
    backfill: BackfillSpec | None = Field(
        default=None, description="Without it the department has no backfills"
    )
    limits: Mapping[Identifier, Annotated[int, Field(ge=1)]] = Field(
        default={}, description="Global concurrency limits, shared by all runs: name → slots"
    )
    secrets: Mapping[SecretName, EnvironmentName] = Field(
        default={}, description="Secret blocks and the environment variables that fill them"
    )
    kubernetes: KubernetesSpec = KubernetesSpec()
    stages: Mapping[Identifier, StageSpec] = {}


class DepartmentMapping(RootModel[Mapping[Identifier, str]]):
    """``configs/department_mapping.yaml``: identifier → display name."""


@dataclass(frozen=True)
class DepartmentEntry:
    """A department's name and its specification."""

    name: Department
    spec: DepartmentSpec

    def stage(self, stage_id: str) -> Stage:
        """Name a stage of the department.

        Raises:
            UnknownNameError: The department has no such stage. No retry.
        """
        if stage_id not in self.spec.stages:
            raise unknown(f"stage of {self.name.id}", stage_id, self.spec.stages)
        return self.name.stage(stage_id)

    def category(self, stage_id: str, category_id: str) -> Category:
        """Name a category of one of the department's stages.

        Raises:
            UnknownNameError: The department has no such stage or category. No retry.
        """
        stage = self.stage(stage_id)
        categories = self.spec.stages[stage_id].categories
        if category_id not in categories:
            raise unknown(f"category of {stage.deployment}", category_id, categories)
        return stage.category(category_id, categories[category_id].flow_stem)

    def stages(self) -> Iterator[tuple[Stage, StageSpec]]:
        """List the stages in the file's order."""
        for stage_id, spec in self.spec.stages.items():
            yield self.name.stage(stage_id), spec

    def categories(self, stage_id: str) -> Iterator[Category]:
        """List a stage's categories in the file's order."""
        for category_id in self.spec.stages[stage_id].categories:
            yield self.category(stage_id, category_id)

    @property
    def waiting_runs(self) -> int:
        """Most runs that may wait for runs of their categories at once; 0 without isolation."""
        return sum(
            spec.concurrency.limit for spec in self.spec.stages.values() if spec.isolation == "job"
        )

    @property
    def namespace(self) -> str:
        """Kubernetes namespace of its runs, without the release's name."""
        return self.spec.kubernetes.namespace or self.name.namespace

    def limit(self, name: str) -> str:
        """Name one of the department's global concurrency limits."""
        return f"{self.name.id}.{name}"

    def secret_block(self, name: str) -> str:
        """Name the Secret block of one of the department's secrets."""
        return f"{self.name.block}-{name}"


@dataclass(frozen=True)
class Catalog:
    """Every department of the project."""

    root: Path
    entries: Mapping[str, DepartmentEntry]

    def department(self, department_id: str) -> DepartmentEntry:
        """Find a department.

        Raises:
            UnknownNameError: There is none of that name. No retry.
        """
        if department_id not in self.entries:
            raise unknown("department", department_id, self.entries)
        return self.entries[department_id]

    @cached_property
    def secret_variables(self) -> frozenset[str]:
        """Environment variables that fill the departments' secrets."""
        return frozenset(
            variable for entry in self.entries.values() for variable in entry.spec.secrets.values()
        )

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """All stages of all departments."""
        return tuple(stage for entry in self.entries.values() for stage, _ in entry.stages())

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """All categories of all departments."""
        return tuple(
            category
            for entry in self.entries.values()
            for stage_id in entry.spec.stages
            for category in entry.categories(stage_id)
        )


def load_catalog(settings: Settings) -> Catalog:
    """Read every department file.

    Raises:
        ConfigError: A file is wrong, a department has no file or no display name, names collide,
            or ``on_success`` names no stage or goes round in a circle. No retry.
    """
    root = settings.project_root
    mapping = load_yaml(root / ROOT_MARKER, DepartmentMapping, settings=settings).root
    files = {path.stem: path for path in sorted((root / DEPARTMENTS).glob("*.yaml"))}
    _require_same(mapping, files)
    entries = {
        department_id: DepartmentEntry(
            Department(department_id, mapping[department_id]),
            load_yaml(path, DepartmentSpec, settings=settings),
        )
        for department_id, path in files.items()
    }
    catalog = Catalog(root, entries)
    for entry in entries.values():
        _check_triggers(entry)
    _check_names(catalog)
    return catalog


def _require_same(mapping: Mapping[str, str], files: Mapping[str, Path]) -> None:
    for department_id in mapping:
        if department_id not in files:
            raise ConfigError(
                f"{ROOT_MARKER}: department {department_id} has no file in {DEPARTMENTS}",
                f"Create {department_id}.yaml or remove the line",
            )
    for department_id in files:
        if department_id not in mapping:
            raise ConfigError(
                f"{DEPARTMENTS / department_id}.yaml: the department has no display name",
                f"Add `{department_id}: Its Name` to {ROOT_MARKER}",
            )


def _check_triggers(entry: DepartmentEntry) -> None:
    file = DEPARTMENTS / f"{entry.name.id}.yaml"
    for stage_id, spec in entry.spec.stages.items():
        for key, targets in (("on_success", spec.on_success), ("on_failure", spec.on_failure)):
            for target in targets:
                if target not in entry.spec.stages:
                    raise ConfigError(
                        f"{file}: stages.{stage_id}.{key}: {target!r} is not a stage",
                        f"Known: {', '.join(entry.spec.stages)}",
                    )
            if stage_id in _stages_reached(entry, targets):
                raise ConfigError(
                    f"{file}: stages.{stage_id}.{key} leads back to itself", "Break the circle"
                )


def _stages_reached(entry: DepartmentEntry, first: Iterable[str]) -> set[str]:
    """Give the stages that may be started in turn, however the runs between end."""
    found: set[str] = set()
    waiting = list(first)
    while waiting:
        stage_id = waiting.pop()
        if stage_id in entry.spec.stages and stage_id not in found:
            found.add(stage_id)
            spec = entry.spec.stages[stage_id]
            waiting += [*spec.on_success, *spec.on_failure]
    return found


def stages_after(entry: DepartmentEntry, stage_id: str) -> tuple[str, ...]:
    """List the stages that a success of this one starts, directly or in turn, nearest first."""
    found: list[str] = []
    waiting = list(entry.spec.stages[stage_id].on_success)
    while waiting:
        following = waiting.pop(0)
        if following not in found:
            found.append(following)
            waiting.extend(entry.spec.stages[following].on_success)
    return tuple(found)


def first_stages(entry: DepartmentEntry) -> tuple[str, ...]:
    """List the stages that no other one starts: those to run for the whole department."""
    started = {
        target
        for spec in entry.spec.stages.values()
        for target in (*spec.on_success, *spec.on_failure)
    }
    return tuple(stage_id for stage_id in entry.spec.stages if stage_id not in started)


def _check_names(catalog: Catalog) -> None:
    owners = defaultdict[tuple[str, str], list[str]](list)
    for what, name, owner in _names(catalog):
        owners[what, name].append(owner)
    collisions = [
        f"{what} {name} would be of {' and of '.join(found)}"
        for (what, name), found in owners.items()
        if len(found) > 1
    ]
    if collisions:
        raise ConfigError(
            f"Names collide: {'; '.join(collisions)}",
            "Rename a department, stage, category, secret or namespace",
        )


def _names(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """List kind, name and owner of what must not be of two departments."""
    flows: tuple[Stage | Category, ...] = (*catalog.stages, *catalog.categories)
    for named in flows:
        yield "variable", named.variable, named.deployment
        yield "flow name", named.flow_name, named.deployment
    for entry in catalog.entries.values():
        yield "Kubernetes namespace", entry.namespace, entry.name.id
        for secret in entry.spec.secrets:
            yield "Secret block", entry.secret_block(secret), f"{entry.name.id}'s secret {secret}"
