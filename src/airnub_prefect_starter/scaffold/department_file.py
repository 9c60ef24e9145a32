"""Edits of configs/: lines are inserted where they belong, all else stays as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from textwrap import indent
from typing import Any

import yaml

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.departments import DEPARTMENTS
from airnub_prefect_starter.scaffold.rendering import yaml_scalar

_STEP = "  "


def department_file(department_id: str) -> PurePosixPath:
    """Give the file of a department."""
    return PurePosixPath(DEPARTMENTS) / f"{department_id}.yaml"


def with_name(text: str, department_id: str, display_name: str) -> str:
    """Add a department to ``configs/department_mapping.yaml``.

    Raises:
        ScaffoldError: It is there under another name. No retry.
    """
    known = yaml.safe_load(text) or {}
    found = known.get(department_id)
    if found == display_name:
        return text
    if found is not None:
        raise ScaffoldError(
            f"Department {department_id} exists and is called {found!r}", "Choose another name"
        )
    if not known and (empty := yaml.compose(text, Loader=yaml.SafeLoader)):
        text = text[: empty.start_mark.index] + text[empty.end_mark.index :]
    return f"{_ended(text)}{department_id}: {yaml_scalar(display_name)}\n"


def with_category(text: str, category: Category, spec: dict[str, str]) -> str:
    """Add a category, and its stage where that is new, to a department's file.

    Raises:
        ScaffoldError: It is there with another description or flow stem, or the file is laid out
            in a way that lines cannot be inserted into. No retry.
    """
    before = yaml.safe_load(text)
    stages = before.get("stages") or {}
    categories = stages.get(category.stage.id, {}).get("categories", {})
    if category.id in categories:
        _require_same(category, categories[category.id], spec)
        return text
    after = _inserted(text, category, spec)
    wanted = {
        **before,
        "stages": {
            **stages,
            category.stage.id: {
                **stages.get(category.stage.id, {}),
                "categories": {**categories, category.id: spec},
            },
        },
    }
    if _loaded(after) != wanted:
        raise ScaffoldError(
            f"{department_file(category.department.id)}: no lines can be inserted below `stages`",
            "Write `stages`, and what is in it, as blocks: one key per line, without braces",
        )
    return after


def _require_same(category: Category, found: dict[str, str], spec: dict[str, str]) -> None:
    for key in ("description", "flow_stem"):
        if found.get(key) != spec.get(key):
            raise ScaffoldError(
                f"Category {category.deployment} exists with the {key} {found.get(key)!r}",
                "Choose another name, or edit its files",
            )


def _inserted(text: str, category: Category, spec: dict[str, str]) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    stages = _child(root, "stages")
    fields = "".join(f"{key}: {yaml_scalar(value)}\n" for key, value in spec.items())
    lines = f"{category.id}:\n{indent(fields, _STEP)}"
    if categories := _child(_child(stages, category.stage.id), "categories"):
        return _append(text, categories, lines)
    lines = f"{category.stage.id}:\n{_STEP}categories:\n{indent(lines, 2 * _STEP)}"
    if stages is not None and stages.value:
        return _append(text, stages, lines)
    if stages is not None:  # `stages: {}`, or nothing after the colon
        start, end = stages.start_mark.index, stages.end_mark.index
        return (
            f"{text[:start].rstrip(' ')}\n{indent(lines, _STEP)}{text[end:].lstrip(' ').lstrip()}"
        )
    return f"{_ended(text)}\nstages:\n{indent(lines, _STEP)}"


def _append(text: str, mapping: yaml.Node, lines: str) -> str:
    """Insert lines below the last entry of a mapping that is written as a block."""
    rows = _ended(text).splitlines(keepends=True)
    column = mapping.value[0][0].start_mark.column
    at = _last_row(mapping, rows) + 1
    return "".join([*rows[:at], indent(lines, " " * column), *rows[at:]])


def _last_row(node: yaml.Node, rows: Sequence[str]) -> int:
    """Find the row in which a node ends; the mark of a block is that of what follows it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_row(last[1] if isinstance(node, yaml.MappingNode) else last, rows)
    mark = node.end_mark
    row: int = mark.line if mark.column else mark.line - 1
    while not rows[row].strip():
        row -= 1
    return row


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _loaded(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
