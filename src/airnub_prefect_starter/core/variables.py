"""A stage's configuration as Prefect Variables: one per stage, or per section if too long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Stage

# Prefect refuses longer values: prefect/types/names.py, MAX_VARIABLE_VALUE_LENGTH.
MAX_VARIABLE_CHARACTERS = 5_000

# Stands in the stage's Variable for a section that has a Variable of its own.
SPLIT_MARK = "in a variable of its own"


def build_variables(stage: Stage, sections: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a stage's sections out over Variables.

    Args:
        stage: The stage.
        sections: Category identifier → its configuration, JSON-like.

    Returns:
        Variable name → JSON value.

    Raises:
        ConfigError: One section alone is too long for a Variable. No retry.
    """
    whole = {stage.variable: dict(sections)}
    if _length(whole[stage.variable]) <= MAX_VARIABLE_CHARACTERS:
        return whole
    split: dict[str, Any] = {stage.variable: dict.fromkeys(sections, SPLIT_MARK)}
    for category_id, section in sections.items():
        category = stage.category(category_id)
        if _length(section) > MAX_VARIABLE_CHARACTERS:
            raise ConfigError(
                f"{category.config_file}: {_length(section):,} characters do not fit into a "
                f"Prefect Variable ({MAX_VARIABLE_CHARACTERS:,})",
                "Split the category, or move long lists into a file that is a source itself",
            )
        split[category.variable] = section
    return split


def _length(value: Any) -> int:
    return len(json.dumps(value))
