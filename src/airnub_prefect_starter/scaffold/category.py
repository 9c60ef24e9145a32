"""``airnub add category``: a category that runs, like one of the kinds that the project knows.

Each kind has a folder below ``templates/kinds/``: flow, configuration model, values, test, and
under ``tasks/`` the task wrappers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

from airnub_prefect_starter.common.names import Category, default_flow_stem
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry
from airnub_prefect_starter.scaffold.department_file import department_file, with_category
from airnub_prefect_starter.scaffold.names import (
    check_classes,
    check_description,
    check_namespace,
    new_identifier,
)
from airnub_prefect_starter.scaffold.plan import Draft
from airnub_prefect_starter.scaffold.rendering import TEMPLATES, render
from airnub_prefect_starter.scaffold.stage import with_flow, with_section

Kind = Literal["api", "database", "file", "lake", "model", "web"]

# What a category of a kind is described as where nobody says it better.
DESCRIPTIONS: Mapping[Kind, str] = {
    "api": "JSON APIs.",
    "database": "Tables of a database.",
    "file": "Files that are published now and then.",
    "lake": "Files that become tables of a lake: as received, then typed and unique by key.",
    "model": "Files that become a table, and models that are trained on it, judged and registered.",
    "web": "HTML pages, politely.",
}


def named_category(
    entry: DepartmentEntry, stage_id: str, category_id: str, flow_stem: str | None
) -> Category:
    """Name a category that exists or may be added.

    Raises:
        ScaffoldError: A name cannot be used. No retry.
    """
    stages = entry.spec.stages
    stage = entry.name.stage(new_identifier(stage_id, "stage", stages))
    others = stages[stage_id].categories if stage_id in stages else {}
    new_identifier(category_id, "category", others)
    if flow_stem is not None:
        new_identifier(flow_stem, "flow stem")
    category = stage.category(category_id, flow_stem)
    check_classes(category, [stage.category(each) for each in others])
    check_namespace(category)
    return category


def plan_category(catalog: Catalog, category: Category, kind: Kind, description: str) -> Draft:
    """Plan every file of a category, and its place in its stage and department.

    Args:
        catalog: The departments that exist.
        category: From `named_category`.
        kind: What it is like.
        description: One sentence.

    Raises:
        ScaffoldError: It exists otherwise, or a file that must be edited has another shape. No
            retry.
    """
    check_description(description)
    draft = Draft(catalog.root)
    usual = default_flow_stem(category.stage.id, category.id)
    stem = None if category.flow_stem == usual else category.flow_stem
    spec = {"description": description, **({"flow_stem": stem} if stem else {})}
    draft.edit(
        department_file(category.department.id),
        partial(with_category, category=category, spec=spec),
    )
    _plan_stage(draft, category)
    up = "../" * (len(category.doc_file.parts) - 1)
    text = partial(render, category=category, description=description, stem=stem, up=up)
    folder = category.folder
    draft.create(folder / "__init__.py", text("category/init.py"))
    draft.create(category.config_model_file, text(f"kinds/{kind}/config.py"))
    draft.create(category.flow_file, text(f"kinds/{kind}/flow.py"))
    draft.create(folder / "tasks" / "__init__.py", text("category/tasks_init.py"))
    for task_id in _tasks(kind):
        draft.create(category.task_file(task_id), text(f"kinds/{kind}/tasks/{task_id}.py"))
    draft.create(category.config_file, text(f"kinds/{kind}/values.yaml"))
    draft.create(category.test_file, text(f"kinds/{kind}/test.py"))
    draft.create(category.doc_file, text("category/page.md"))
    return draft


def _plan_stage(draft: Draft, category: Category) -> None:
    """Add the category to its stage, which the first one brings along."""
    stage = category.stage
    if draft.exists(stage.flow_file):
        draft.edit(stage.config_model_file, partial(with_section, category=category))
        draft.edit(stage.flow_file, partial(with_flow, category=category))
        return
    draft.create(stage.folder / "__init__.py", render("stage/init.py", stage=stage))
    for template, file in (("config", stage.config_model_file), ("flow", stage.flow_file)):
        draft.create(file, render(f"stage/{template}.py", category=category))


def _tasks(kind: Kind) -> list[str]:
    files = (TEMPLATES / "kinds" / kind / "tasks").glob("*.py.jinja")
    return sorted(file.name.removesuffix(".py.jinja") for file in files)
