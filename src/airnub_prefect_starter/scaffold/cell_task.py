"""``airnub add task --from --cell``: a function of a notebook as core, task and test."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.departments import Catalog
from airnub_prefect_starter.scaffold.extraction import (
    CellTest,
    extract_function,
    extract_test,
    indented,
)
from airnub_prefect_starter.scaffold.notebook import Notebook
from airnub_prefect_starter.scaffold.plan import Draft
from airnub_prefect_starter.scaffold.rendering import lint, render, settle
from airnub_prefect_starter.scaffold.stage import result_class
from airnub_prefect_starter.scaffold.task import core_file, test_file

TEST_SUFFIX = "-test"


def plan_cell_task(
    catalog: Catalog, category: Category, task_id: str, *, notebook: Path, tag: str
) -> tuple[Draft, str]:
    """Plan core's copy of a cell's function, the task that calls it, and its test.

    A cell tagged ``<tag>-test`` becomes the test. Files that exist must be the same. A cell that
    imports the function from core already gives a plan without changes.

    Args:
        catalog: The departments that exist.
        category: Whose task it becomes.
        task_id: Names the task; core calls the function ``core_<task>``.
        notebook: The file.
        tag: Of the cell.

    Returns:
        The plan, and what the notebook calls the function.

    Raises:
        ScaffoldError: The cell cannot become a function, its text breaks the project's rules, or
            the category's flow is of another kind. No retry.
    """
    core, test = core_file(catalog, task_id), test_file(task_id)
    task, name = category.task_file(task_id), f"core_{task_id}"
    read = Notebook(notebook)
    cell = read.tagged(tag)
    draft = Draft(catalog.root)
    draft.edit(category.flow_file, _as_it_is)
    result = result_class(draft.text(category.flow_file), category)
    if (known := cell.imports_as(core_module(task_id), name)) is not None:
        for file in (core, task, test):
            draft.edit(file, _as_it_is)
        return draft, known
    function, original = extract_function(read, cell, name)
    text = partial(
        render, category=category, task=task_id, function=function, notebook=notebook.name, tag=tag
    )
    draft.create(core, _clean(core, text("task/cell_core.py"), catalog.root))
    draft.create(
        task, text("task/cell_task.py", result=result, comes_from_source=result == "SourceResult")
    )
    asserts = _test_of(read, tag, original, name)
    draft.create(test, _clean(test, text("task/cell_test.py", test=asserts), catalog.root))
    return draft, original


def _test_of(notebook: Notebook, tag: str, original: str, name: str) -> CellTest | None:
    if not notebook.has(tag + TEST_SUFFIX):
        return None
    taken = extract_test(notebook, notebook.tagged(tag + TEST_SUFFIX), original, name)
    return CellTest(taken.imports, indented(taken.body))


def _as_it_is(text: str) -> str:
    return text


def core_module(task_id: str) -> str:
    """Give the name of the module of core that holds a task's function."""
    return f"airnub_prefect_starter.core.{task_id}"


def _clean(path: PurePosixPath, text: str, root: Path) -> str:
    settled = settle(path, text, root)
    lint(path, settled, root)
    return settled


def lines_to_import(task_id: str, notebook: Path, tag: str, name: str) -> tuple[str, ...]:
    """Give what takes the place of a cell's function, so that it stands once.

    Args:
        task_id: Names the task.
        notebook: The file.
        tag: Of the cell.
        name: What the notebook calls the function.
    """
    return (
        f"in {notebook.name}, cell {tag}, in place of the function:",
        f"  from {core_module(task_id)} import core_{task_id} as {name}",
    )
