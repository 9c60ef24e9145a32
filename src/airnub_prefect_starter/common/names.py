"""Every name that the convention makes, in one place: identifiers, files, flows, variables, tags.

An identifier enters as text once and leaves as a type (`Department`, `Stage`, `Category`); each
name is a property of that type, and `parse_*` reads the unambiguous ones back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import (
    IDENTIFIER,
    kebab,
    parse_identifier,
    suggest_identifier,
    title,
)

MANAGED_TAG = "airnub"
LABELS = "airnub.io"
# What belongs to no department: reserved, so that no department is called so.
GENERIC = "generic"
USUAL_STAGES = ("ingestion", "processing", "analysis")

_DEPARTMENT_TAG = "department:"
_ACTIONS = {"ingestion": "ingest", "processing": "process", "analysis": "analyze"}


@dataclass(frozen=True, order=True)
class Department:
    """A department: its identifier and the name that people read."""

    id: str
    display_name: str

    def __post_init__(self) -> None:
        parse_identifier(self.id, "department")
        if self.id == GENERIC:
            raise ConfigError(
                f"department {GENERIC!r} is reserved for flows of no department",
                "Use another identifier",
            )
        if not self.display_name.strip() or set(self.display_name) & set("/%&<>()\n"):
            raise ConfigError(
                f"display name {self.display_name!r} of {self.id} is empty or has one of /%&<>()",
                "Prefect refuses some of these in names: use plain words",
            )

    @property
    def package(self) -> str:
        """Folder below ``flows/``."""
        return f"dept_{self.id}"

    @property
    def queue(self) -> str:
        """Work queue of the department."""
        return self.id

    @property
    def categories_queue(self) -> str:
        """Work queue of categories for which a stage's run waits."""
        return f"{self.id}-categories"

    @property
    def backfill_queue(self) -> str:
        """Work queue of backfills, which leave the department's own to the runs that are due."""
        return f"{self.id}-backfill"

    @property
    def namespace(self) -> str:
        """Kubernetes namespace of the department."""
        return f"dept-{kebab(self.id)}"

    @property
    def block(self) -> str:
        """Name of the department's `ContentStore` block (Prefect allows a-z, 0-9 and dashes)."""
        return kebab(self.id)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of everything that belongs to the department."""
        return (MANAGED_TAG, f"{_DEPARTMENT_TAG}{self.id}")

    def stage(self, stage_id: str) -> Stage:
        """Name a stage of this department."""
        return Stage(self, stage_id)


@dataclass(frozen=True, order=True)
class Stage:
    """A stage of a department, such as ingestion."""

    department: Department
    id: str

    def __post_init__(self) -> None:
        parse_identifier(self.id, "stage")

    @property
    def flow_function(self) -> str:
        """Function of the parent flow, and its module's name."""
        return f"{self.id}_flow_{self.department.package}"

    @property
    def flow_file(self) -> PurePosixPath:
        """File of the parent flow, from the project's root."""
        return PurePosixPath("flows", self.department.package, f"{self.flow_function}.py")

    @property
    def folder(self) -> PurePosixPath:
        """Folder of the stage's configuration model and categories."""
        return PurePosixPath("flows", self.department.package, self.id)

    @property
    def config_model_file(self) -> PurePosixPath:
        """File of the stage's configuration model."""
        return self.folder / "config.py"

    @property
    def config_class(self) -> str:
        """Class of the configuration model: ``IngestionConfig``."""
        return config_class(self.id)

    @property
    def module(self) -> str:
        """Module of the parent flow."""
        return ".".join(self.flow_file.with_suffix("").parts)

    @property
    def flow_name(self) -> str:
        """Name in Prefect: ``Ingestion Flow (Project Alpha)``."""
        return f"{title(self.id)} Flow ({self.department.display_name})"

    @property
    def deployment(self) -> str:
        """Deployment name: ``project_alpha.ingestion``."""
        return f"{self.department.id}.{self.id}"

    @property
    def variable(self) -> str:
        """Prefect Variable that holds the stage's configuration."""
        return f"{self.department.package}_{self.id}_config"

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of flows, deployments and runs of this stage."""
        return (*self.department.tags, f"stage:{self.id}")

    def category(self, category_id: str, flow_stem: str | None = None) -> Category:
        """Name a category of this stage; ``flow_stem`` replaces ``<action>_<category>``."""
        return Category(self, category_id, flow_stem or default_flow_stem(self.id, category_id))


def config_class(identifier: str) -> str:
    """Give the class of a configuration model: ``public_api_data`` → ``PublicApiDataConfig``."""
    return "".join(word.capitalize() for word in identifier.split("_")) + "Config"


def default_flow_stem(stage_id: str, category_id: str) -> str:
    """Give ``<action>_<category>``: ``ingest_public_api_data``, ``process_flight_data``."""
    return f"{_ACTIONS.get(stage_id, stage_id)}_{category_id}"


@dataclass(frozen=True, order=True)
class Category:
    """A category of a stage: one kind of data and the flow that handles it."""

    stage: Stage
    id: str
    flow_stem: str

    def __post_init__(self) -> None:
        parse_identifier(self.id, "category")
        if not IDENTIFIER.fullmatch(self.flow_stem):
            raise ConfigError(
                f"flow stem {self.flow_stem!r} of category {self.id} is not an identifier",
                f"Use {suggest_identifier(self.flow_stem)!r}",
            )

    @property
    def department(self) -> Department:
        """The department it belongs to."""
        return self.stage.department

    @property
    def folder(self) -> PurePosixPath:
        """Folder of the category's flow, configuration model and tasks."""
        return self.stage.folder / self.id

    @property
    def flow_function(self) -> str:
        """Function of the flow, and its module's name."""
        return f"{self.flow_stem}_flow_{self.department.package}"

    @property
    def flow_file(self) -> PurePosixPath:
        """File of the flow, from the project's root."""
        return self.folder / f"{self.flow_function}.py"

    @property
    def config_model_file(self) -> PurePosixPath:
        """File of the Prefect-free configuration model beside the flow."""
        return self.folder / "config.py"

    @property
    def config_class(self) -> str:
        """Class of the configuration model: ``PublicApiDataConfig``."""
        return config_class(self.id)

    @property
    def config_file(self) -> PurePosixPath:
        """YAML file with the values of this category; mirrors ``flows/``."""
        return PurePosixPath(
            "configs", "variables", self.department.package, self.stage.id, f"{self.id}.yaml"
        )

    @property
    def doc_file(self) -> PurePosixPath:
        """Page about this category."""
        return PurePosixPath(
            "docs", "departments", self.department.id, self.stage.id, f"{self.id}.md"
        )

    @property
    def test_file(self) -> PurePosixPath:
        """Test that runs this category's flow."""
        folder = PurePosixPath("tests", "integration", "departments", self.department.package)
        return folder / self.stage.id / f"test_{self.id}.py"

    def task_function(self, task_id: str) -> str:
        """Give a task wrapper's function, and its module's name."""
        return f"{task_id}_task_{self.department.package}"

    def task_file(self, task_id: str) -> PurePosixPath:
        """Give the file of a task wrapper."""
        return self.folder / "tasks" / f"{self.task_function(task_id)}.py"

    @property
    def module(self) -> str:
        """Module of the flow."""
        return ".".join(self.flow_file.with_suffix("").parts)

    @property
    def flow_name(self) -> str:
        """Name in Prefect: ``Ingest Public API Data Flow (Project Alpha)``."""
        return f"{title(self.flow_stem)} Flow ({self.department.display_name})"

    @property
    def deployment(self) -> str:
        """Deployment name: ``project_alpha.ingestion.public_api_data``."""
        return f"{self.stage.deployment}.{self.id}"

    @property
    def variable(self) -> str:
        """Variable of this section where the stage's one would exceed Prefect's length limit."""
        return f"{self.department.package}_{self.stage.id}_{self.id}_config"

    @property
    def namespace(self) -> str:
        """Namespace of this category's refs in the department's store."""
        return f"{self.stage.id}.{self.id}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of flows, deployments and runs of this category."""
        return (*self.stage.tags, f"category:{self.id}")


@dataclass(frozen=True, order=True)
class GenericFlow:
    """A flow of no department, such as ``report_drift``."""

    id: str

    def __post_init__(self) -> None:
        parse_identifier(self.id, "generic flow")

    @property
    def flow_function(self) -> str:
        """Function of the flow, and its module's name."""
        return f"{self.id}_flow"

    @property
    def flow_file(self) -> PurePosixPath:
        """File of the flow, from the project's root."""
        return PurePosixPath("flows", GENERIC, f"{self.flow_function}.py")

    @property
    def flow_name(self) -> str:
        """Name in Prefect: ``Report Drift Flow``."""
        return f"{title(self.id)} Flow"

    @property
    def deployment(self) -> str:
        """Deployment name: ``generic.report_drift``."""
        return f"{GENERIC}.{self.id}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of its deployment and runs."""
        return (MANAGED_TAG, GENERIC)


def owners_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Read from an object's tags to which departments it belongs; `GENERIC` counts as one."""
    return tuple(
        tag.removeprefix(_DEPARTMENT_TAG)
        for tag in sorted(tags)
        if tag.startswith(_DEPARTMENT_TAG) or tag == GENERIC
    )


def run_labels(department: str, stage: str, category: str | None = None) -> dict[str, str]:
    """Give the labels that the Kubernetes Jobs and pods of a flow's runs carry."""
    names = {"department": department, "stage": stage, "category": category}
    return {f"{LABELS}/{what}": name for what, name in names.items() if name}


def parse_deployment(name: str) -> tuple[str, str, str | None]:
    """Split a deployment name into department, stage and, for a category's, category.

    Raises:
        ConfigError: It is not a name that this module makes. No retry.
    """
    parts = name.split(".")
    if len(parts) not in (2, 3):
        raise ConfigError(
            f"{name!r} is not DEPARTMENT.STAGE[.CATEGORY]", "Copy a name from `airnub render`"
        )
    for what, part in zip(("department", "stage", "category"), parts, strict=False):
        parse_identifier(part, what)
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None


def parse_flow_file(path: PurePosixPath) -> tuple[str, str, str | None]:
    """Read department, stage and, for a category's flow, category from a flow file's path.

    Raises:
        ConfigError: The path is not one that this module makes. No retry.
    """
    match path.parts:
        case ("flows", package, file) if package.startswith("dept_"):
            department = parse_identifier(package.removeprefix("dept_"), "department")
            stage = file.removesuffix(f"_flow_{package}.py")
            if stage != file:
                return department, parse_identifier(stage, "stage"), None
        case ("flows", package, stage, category, file) if package.startswith("dept_"):
            department = parse_identifier(package.removeprefix("dept_"), "department")
            if file.endswith(f"_flow_{package}.py"):
                return (
                    department,
                    parse_identifier(stage, "stage"),
                    parse_identifier(category, "category"),
                )
    raise ConfigError(
        f"{path} is not a flow file of the convention",
        "See flows/dept_<id>/<stage>_flow_dept_<id>.py and flows/dept_<id>/<stage>/<category>/",
    )


def parse_flow_name(name: str) -> tuple[str, str]:
    """Split a flow name into the identifier of its stage or flow stem and the display name.

    Raises:
        ConfigError: The name is not one that this module makes. No retry.
    """
    found = re.fullmatch(r"(?P<stem>[^()]+) Flow \((?P<department>[^()]+)\)", name)
    if not found:
        raise ConfigError(f"{name!r} is not of the form 'Ingestion Flow (Project Alpha)'")
    return found["stem"].lower().replace(" ", "_"), found["department"]
