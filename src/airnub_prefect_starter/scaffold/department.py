"""``airnub add department``: a department without stages yet."""

from __future__ import annotations

from pathlib import PurePosixPath

from airnub_prefect_starter.common.errors import ConfigError, ScaffoldError
from airnub_prefect_starter.common.identifiers import kebab
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.common.settings import ROOT_MARKER
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry
from airnub_prefect_starter.scaffold.department_file import department_file, with_name
from airnub_prefect_starter.scaffold.names import check_display_name, new_identifier
from airnub_prefect_starter.scaffold.plan import Draft
from airnub_prefect_starter.scaffold.rendering import render


def plan_department(
    catalog: Catalog, department_id: str, display_name: str, owner: str | None
) -> Draft:
    """Plan a department's file, its line in the mapping and its package.

    Args:
        catalog: The departments that exist.
        department_id: Its identifier.
        display_name: The name that people read.
        owner: Who is asked to review; None for the team of the same name.

    Raises:
        ScaffoldError: The name cannot be used, or it exists with another owner. No retry.
    """
    department = _department(catalog, department_id, display_name)
    owner = owner or f"@airnub/{kebab(department_id)}"
    draft = Draft(catalog.root)
    draft.edit(
        PurePosixPath(ROOT_MARKER), lambda text: with_name(text, department.id, display_name)
    )
    file = department_file(department.id)
    if known := catalog.entries.get(department.id):
        _require_same(known, owner)
        draft.edit(file, lambda text: text)
    else:
        draft.create(file, render("department/department.yaml", owner=owner))
    package = PurePosixPath("flows", department.package)
    draft.create(package / "__init__.py", render("department/init.py", department=department))
    return draft


def _department(catalog: Catalog, department_id: str, display_name: str) -> Department:
    new_identifier(department_id, "department", catalog.entries)
    check_display_name(display_name)
    for entry in catalog.entries.values():
        same = entry.name.display_name.casefold() == display_name.casefold()
        if same and entry.name.id != department_id:
            raise ScaffoldError(
                f"Department {entry.name.id} is called {entry.name.display_name!r} already",
                "Choose another --display-name",
            )
    try:
        return Department(department_id, display_name)
    except ConfigError as error:
        raise ScaffoldError(error.message, error.remedy) from error


def _require_same(known: DepartmentEntry, owner: str) -> None:
    if known.spec.owners != (owner,):
        raise ScaffoldError(
            f"Department {known.name.id} exists and is owned by {', '.join(known.spec.owners)}",
            "Give that --owner, or choose another name",
        )
