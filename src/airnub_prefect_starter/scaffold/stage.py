"""Edits and checks of flows' Python: a stage's fields and what it runs together, results' types.

Places are found in the syntax tree; a file that no longer has the shape of the template is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.scaffold.rendering import render

SOURCES = "list[SourceResult]"
DERIVED = "list[DerivedResult]"


def with_section(text: str, category: Category) -> str:
    """Add a category's field to the configuration model of its stage.

    Raises:
        ScaffoldError: There is no such model in the file. No retry.
    """
    stage = category.stage
    tree = _parse(text, category, str(stage.config_model_file))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == stage.config_class:
            break
    else:
        raise _other_shape(str(stage.config_model_file), f"class {stage.config_class}", category)
    if category.id in _fields(node):
        return text
    end = _offset(text, node.end_lineno or 0, node.end_col_offset or 0)
    added = f"\n    {category.id}: {category.config_class}"
    return _with_import(_spliced(text, end, added), "stage/import_model.py", category)


def with_flow(text: str, category: Category) -> str:
    """Add a category's flow to what the flow of its stage runs together.

    Raises:
        ScaffoldError: The file has no such flow, it runs nothing together, or its results are not
            those of sources. No retry.
    """
    stage = category.stage
    file = str(stage.flow_file)
    flow = _flow(text, category, file, stage.flow_function)
    subflows = next(_subflows(flow), None)
    if subflows is None:
        raise _other_shape(file, "run_together(STAGE, {...})", category)
    if category.id in [key.value for key in subflows.keys if isinstance(key, ast.Constant)]:
        return text
    remedy = "Add the category to a stage of sources, or to a new one"
    _require_results(flow, f"list[{SOURCES}]", file, remedy)
    last = subflows.values[-1]
    end = _offset(text, last.end_lineno or 0, last.end_col_offset or 0)
    brace = _offset(text, subflows.end_lineno or 0, subflows.end_col_offset or 0) - 1
    between = text.encode()[end:brace].decode()
    comma = "" if "," in re.sub("#.*", "", between) else ","
    entry = f'"{category.id}": Subflow({category.flow_function}, config.{category.id}),\n'
    text = _spliced(_spliced(text, brace, entry), end, comma)
    return _with_import(text, "stage/import_flow.py", category)


def require_sources(text: str, category: Category) -> str:
    """Return the text of a category's flow, whose results must be those of sources.

    Raises:
        ScaffoldError: They are others, or the file has no such flow. No retry.
    """
    file = str(category.flow_file)
    flow = _flow(text, category, file, category.flow_function)
    remedy = "Add the task to a category of sources; write one of another kind by hand"
    _require_results(flow, SOURCES, file, remedy)
    return text


def result_class(text: str, category: Category) -> str:
    """Name the class of what a category's flow returns: of sources, or of what is derived.

    Raises:
        ScaffoldError: It returns something else, or the file has no such flow. No retry.
    """
    file = str(category.flow_file)
    flow = _flow(text, category, file, category.flow_function)
    found = ast.unparse(flow.returns) if flow.returns else ""
    if found not in {SOURCES, DERIVED}:
        raise ScaffoldError(
            f"{file}: {flow.name} returns neither {SOURCES} nor {DERIVED}",
            "Add the task to another category, or write it by hand",
        )
    return found.removeprefix("list[").removesuffix("]")


def _flow(text: str, category: Category, file: str, name: str) -> ast.FunctionDef:
    for node in _parse(text, category, file).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise _other_shape(file, f"function {name}", category)


def _require_results(flow: ast.FunctionDef, wanted: str, file: str, remedy: str) -> None:
    if flow.returns is None or ast.unparse(flow.returns) != wanted:
        raise ScaffoldError(f"{file}: {flow.name} does not return {wanted}", remedy)


def _subflows(flow: ast.FunctionDef) -> Iterator[ast.Dict]:
    """Find the mappings that are given to ``run_together``."""
    for node in ast.walk(flow):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "run_together":
            yield from (each for each in node.args if isinstance(each, ast.Dict) and each.values)


def _fields(model: ast.ClassDef) -> set[str]:
    fields = (each.target for each in model.body if isinstance(each, ast.AnnAssign))
    return {target.id for target in fields if isinstance(target, ast.Name)}


def _with_import(text: str, template: str, category: Category) -> str:
    imports = [each for each in ast.parse(text).body if isinstance(each, ast.ImportFrom)]
    if not imports:
        raise _other_shape(str(category.stage.flow_file), "import", category)
    end = _offset(text, imports[-1].end_lineno or 0, imports[-1].end_col_offset or 0)
    rest = text.encode()[end:].decode()
    line_end = end + len(rest.partition("\n")[0].encode())
    return _spliced(text, line_end, "\n" + render(template, category=category).rstrip("\n"))


def _parse(text: str, category: Category, file: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise _other_shape(
            file, f"valid Python: {error.msg} in line {error.lineno}", category
        ) from (error)


def _offset(text: str, line: int, column: int) -> int:
    """Give the place of a line and column of the syntax tree, which counts in bytes."""
    before = text.encode().splitlines(keepends=True)[: line - 1]
    return sum(map(len, before)) + column


def _spliced(text: str, at: int, added: str) -> str:
    data = text.encode()
    return (data[:at] + added.encode() + data[at:]).decode()


def _other_shape(file: str, missing: str, category: Category) -> ScaffoldError:
    return ScaffoldError(
        f"{file}: there is no {missing}",
        f"Write it for category {category.id}, as docs/add-a-category.md shows, and try again",
    )
