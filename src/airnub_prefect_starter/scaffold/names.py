"""Names that a generator accepts: what an identifier may be, less what would mislead or collide."""

from __future__ import annotations

import builtins
import keyword
import sys
from collections.abc import Collection

from airnub_prefect_starter.common.errors import ConfigError, ScaffoldError
from airnub_prefect_starter.common.identifiers import (
    MAX_IDENTIFIER,
    parse_identifier,
    suggest_identifier,
)
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.configuration import ConfigModel

# flows/ has folders of these names, that are no departments.
RESERVED_DEPARTMENTS = frozenset({"etl", "examples", "generic", "ml", "monitoring"})
# What stands beside or inside a category's folder.
RESERVED_CATEGORIES = frozenset({"config", "subflows", "tasks"})
MAX_DISPLAY_NAME = 40
MAX_NAMESPACE = 63  # see NAME_PATTERN of core/manifest_models.py

_STANDARD = sys.stdlib_module_names | frozenset(dir(builtins))


def new_identifier(text: str, what: str, existing: Collection[str] = ()) -> str:
    """Return an identifier that exists already, or that may be given to something new.

    Args:
        text: What was asked for.
        what: How messages call it, such as ``category``.
        existing: The identifiers of its neighbours.

    Raises:
        ScaffoldError: It is none, or one that would mislead. No retry.
    """
    if text in existing:
        return text
    nearest = suggest_identifier(text)
    if nearest != text and nearest in existing:
        raise ScaffoldError(
            f"{what} {text!r} is another spelling of {nearest!r}, which exists",
            f"Use {nearest!r}, or another name",
        )
    try:
        parse_identifier(text, what)
    except ConfigError as error:
        raise ScaffoldError(error.message, error.remedy) from error
    if reason := _misleading(text, what):
        longer = f"{text}_data"[:MAX_IDENTIFIER]
        raise ScaffoldError(f"{what} {text!r} is {reason}", f"Use {longer!r}, for example")
    return text


def _misleading(text: str, what: str) -> str | None:
    if text in keyword.softkwlist:
        return "a Python keyword"
    if text in _STANDARD:
        return "a name of Python's own"
    if what == "department" and text in RESERVED_DEPARTMENTS:
        return "reserved: flows/ has a folder of that name"
    if what == "category" and text in RESERVED_CATEGORIES:
        return "reserved: a stage or category has a file or folder of that name"
    return _no_field(text) if what == "category" else None


def _no_field(text: str) -> str | None:
    """Tell why a category cannot be a field of its stage's configuration model."""
    if text == "l":
        return "easily taken for a 1, which ruff refuses in code"
    if hasattr(ConfigModel, text) or text.startswith("model_"):
        return "a name of Pydantic's own"
    return None


def check_namespace(category: Category) -> None:
    """Accept a category under whose namespace things can be stored.

    Raises:
        ScaffoldError: Its stage's name and its own are too long together. No retry.
    """
    if len(category.namespace) > MAX_NAMESPACE:
        raise ScaffoldError(
            f"{category.namespace} has {len(category.namespace)} characters, and names in the store"
            f" have at most {MAX_NAMESPACE}",
            "Use a shorter name for the stage or the category",
        )


def check_display_name(display_name: str) -> None:
    """Accept a display name that leaves room for what stands around it.

    Raises:
        ScaffoldError: It is too long or has spaces around it. No retry.
    """
    if len(display_name) > MAX_DISPLAY_NAME or display_name != display_name.strip():
        raise ScaffoldError(
            f"--display-name {display_name!r} is too long or has spaces around it",
            f"Use at most {MAX_DISPLAY_NAME} characters",
        )


def check_description(description: str) -> None:
    """Accept a description of one line.

    Raises:
        ScaffoldError: It has line breaks or other control characters. No retry.
    """
    if not description.isprintable():
        raise ScaffoldError(f"--description {description!r} is not one line", "Shorten it")


def check_classes(category: Category, others: Collection[Category]) -> None:
    """Accept a category whose configuration class has a name of its own in its stage.

    Raises:
        ScaffoldError: Its stage, or another category there, has a class of that name. No retry.
    """
    taken = {each.config_class: f"category {each.id}" for each in others if each.id != category.id}
    taken[category.stage.config_class] = f"stage {category.stage.id}"
    if owner := taken.get(category.config_class):
        raise ScaffoldError(
            f"category {category.id!r}: its class {category.config_class} would be that of {owner}",
            f"Use {f'{category.id}_data'[:MAX_IDENTIFIER]!r}, for example",
        )
