"""``airnub add task``: a task wrapper, the function of core that it calls, and its test."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.departments import Catalog
from airnub_prefect_starter.scaffold.names import new_identifier
from airnub_prefect_starter.scaffold.plan import Draft
from airnub_prefect_starter.scaffold.rendering import render
from airnub_prefect_starter.scaffold.stage import require_sources


def plan_task(catalog: Catalog, category: Category, task_id: str) -> Draft:
    """Plan a task of a category; tasks of one name share the function that they call.

    Raises:
        ScaffoldError: The name cannot be used, or the category is not one of sources. No retry.
    """
    core = core_file(catalog, task_id)
    draft = Draft(catalog.root)
    draft.edit(category.flow_file, partial(require_sources, category=category))
    text = partial(render, category=category, task=task_id)
    draft.create(category.task_file(task_id), text("task/task.py"))
    if draft.exists(core):
        draft.edit(core, partial(_require_function, file=core, name=f"core_{task_id}"))
    else:
        draft.create(core, text("task/core.py"))
        draft.create(test_file(task_id), text("task/test.py"))
    return draft


def core_file(catalog: Catalog, task_id: str) -> PurePosixPath:
    """Give the module of core with the function that tasks of a name call.

    Raises:
        ScaffoldError: The name cannot be used. No retry.
    """
    new_identifier(task_id, "task")
    core = PurePosixPath("src", "airnub_prefect_starter", "core", f"{task_id}.py")
    if (catalog.root / core.with_suffix("")).is_dir():
        raise ScaffoldError(f"task {task_id!r}: core has a package of that name", "Choose another")
    return core


def test_file(task_id: str) -> PurePosixPath:
    """Give the test of that module."""
    return PurePosixPath("tests", "unit", "core", f"test_{task_id}.py")


def _require_function(text: str, file: PurePosixPath, name: str) -> str:
    if f"def {name}(" not in text:
        raise ScaffoldError(f"{file} exists and has no function {name}", "Choose another name")
    return text


def lines_to_add(category: Category, task_id: str) -> tuple[str, ...]:
    """Give what calls the task in its category's flow, after the sources were fetched."""
    return tuple(render("task/lines.py", category=category, task=task_id).splitlines())
