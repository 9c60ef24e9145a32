"""``airnub add task --from --cell``: a function of a notebook as core, task and test."""

from __future__ import annotations

import textwrap
from functools import partial
from pathlib import Path, PurePosixPath

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.departments import Catalog
from airnub_prefect_starter.scaffold.extraction import CellTest, extract_function, extract_test
from airnub_prefect_starter.scaffold.notebook import Notebook
from airnub_prefect_starter.scaffold.plan import Draft
from airnub_prefect_starter.scaffold.rendering import lint, render, settle
from airnub_prefect_starter.scaffold.stage import result_class
from airnub_prefect_starter.scaffold.task import core_file, test_file

TEST_SUFFIX = "-test"


def plan_cell_task(
    catalog: Catalog, category: Category, task_id: str, *, notebook: Path, tag: str
) -> Draft:
    """Plan core's copy of a cell's function, the task that calls it, and its test.

    A cell tagged ``<tag>-test`` becomes the test. Files that exist must be the same.

    Args:
        catalog: The departments that exist.
        category: Whose task it becomes.
        task_id: Names the task; core calls the function ``core_<task>``.
        notebook: The file.
        tag: Of the cell.

    Raises:
        ScaffoldError: The cell cannot become a function, its text breaks the project's rules, or
            the category's flow is of another kind. No retry.
    """
    core, test = core_file(catalog, task_id), test_file(task_id)
    read = Notebook(notebook)
    name = f"core_{task_id}"
    function, original = extract_function(read, read.tagged(tag), name)
    text = partial(
        render, category=category, task=task_id, function=function, notebook=notebook.name, tag=tag
    )
    draft = Draft(catalog.root)
    found: list[str] = []
    draft.edit(category.flow_file, lambda flow: _noting(found, flow, category))
    draft.create(core, _clean(core, text("task/cell_core.py"), catalog.root))
    draft.create(
        category.task_file(task_id),
        text("task/cell_task.py", result=found[0], comes_from_source=found[0] == "SourceResult"),
    )
    cell_test = None
    if read.has(tag + TEST_SUFFIX):
        taken = extract_test(read, read.tagged(tag + TEST_SUFFIX), original, name)
        cell_test = CellTest(taken.imports, textwrap.indent(taken.body, "    "))
    draft.create(test, _clean(test, text("task/cell_test.py", test=cell_test), catalog.root))
    return draft


def _noting(found: list[str], flow: str, category: Category) -> str:
    """Note what a category's flow returns; its text stays."""
    found.append(result_class(flow, category))
    return flow


def _clean(path: PurePosixPath, text: str, root: Path) -> str:
    settled = settle(path, text, root)
    lint(path, settled, root)
    return settled


def lines_to_import(task_id: str, notebook: Path, tag: str) -> tuple[str, ...]:
    """Give what takes the place of the cell, so that the function stands once."""
    module = f"airnub_prefect_starter.core.{task_id}"
    return (
        f"in {notebook.name}, cell {tag}, in place of the function:",
        f"  from {module} import core_{task_id}",
    )
