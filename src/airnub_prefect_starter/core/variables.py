"""A stage's configuration as Prefect Variables: one per stage, or per section if too long.

A section that is too long by itself is in several: its lists are cut between two items.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Category, Stage

# Prefect refuses longer values: prefect/types/names.py, MAX_VARIABLE_VALUE_LENGTH.
MAX_VARIABLE_CHARACTERS = 5_000

# Stands in the stage's Variable for a section that has a Variable of its own.
SPLIT_MARK = "in a variable of its own"
# The only key of a section's Variable that names, in order, those with its parts.
PARTS = "in these variables"

Section = Mapping[str, Any]


def build_variables(stage: Stage, sections: Mapping[str, Section]) -> dict[str, Any]:
    """Lay a stage's sections out over Variables.

    Args:
        stage: The stage.
        sections: Category identifier → its configuration, JSON-like.

    Returns:
        Variable name → JSON value.

    Raises:
        ConfigError: One value or item of a list is too long for a Variable. No retry.
    """
    whole = {stage.variable: dict(sections)}
    if _fits(whole[stage.variable]):
        return whole
    split: dict[str, Any] = {stage.variable: dict.fromkeys(sections, SPLIT_MARK)}
    for category_id, section in sections.items():
        split |= _variables_of(stage.category(category_id), section)
    return split


def join_section(value: Section, read: Callable[[str], Section]) -> dict[str, Any]:
    """Give a section from the value of its Variable, reading the others that this one names."""
    if set(value) != {PARTS}:
        return dict(value)
    joined: dict[str, Any] = {}
    for part in map(read, value[PARTS]):
        joined = _joined(joined, part)
    return joined


def _variables_of(category: Category, section: Section) -> dict[str, Any]:
    if _fits(section):
        return {category.variable: section}
    parts = list(_parts(category, section))
    names = [f"{category.variable}_{number}" for number, _ in enumerate(parts, start=1)]
    return {category.variable: {PARTS: names}, **dict(zip(names, parts, strict=True))}


def _parts(category: Category, section: Section) -> Iterator[Section]:
    part: Section = {}
    for piece in _pieces(section):
        if not _fits(piece):
            raise ConfigError(
                f"{category.config_file}: {_length(piece):,} characters of {next(iter(piece))} "
                f"do not fit into a Prefect Variable ({MAX_VARIABLE_CHARACTERS:,})",
                "Shorten it, or move it into a file that is a source itself",
            )
        if not _fits(_joined(part, piece)):
            yield part
            part = {}
        part = _joined(part, piece)
    yield part


def _pieces(section: Section) -> Iterator[Section]:
    for name, value in section.items():
        if isinstance(value, list | tuple) and value:
            yield from ({name: [item]} for item in value)
        else:
            yield {name: value}


def _joined(one: Section, other: Section) -> dict[str, Any]:
    both = {name: [*one[name], *other[name]] for name in other if name in one}
    return {**one, **other, **both}


def _fits(value: Any) -> bool:
    return _length(value) <= MAX_VARIABLE_CHARACTERS


def _length(value: Any) -> int:
    return len(json.dumps(value))
