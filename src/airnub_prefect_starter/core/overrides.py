"""``--set key=value``: changes to a configuration for one run."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable
from typing import Any

import yaml

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.core.mistakes import shorten


def apply_overrides(value: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy of a JSON-like value with ``path=value`` changes.

    Args:
        value: The configuration.
        overrides: Each ``a.b.0.c=VALUE``: keys and list positions, then a YAML scalar or list.

    Raises:
        ConfigError: A change has no ``=``, leads nowhere, or its value is not YAML. No retry.
    """
    changed = copy.deepcopy(value)
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path:
            raise ConfigError(
                f"--set {shorten(override)} is not KEY=VALUE", "Write --set a.b.0.c=1"
            )
        *parents, last = path.split(".")
        target: Any = changed
        for part in parents:
            target = target[_key(target, part, path)]
        # The last key may be new: an optional field that the YAML file leaves out.
        target[_key(target, last, path, may_be_new=isinstance(target, dict))] = _parse(path, text)
    return changed


def _key(target: Any, part: str, path: str, *, may_be_new: bool = False) -> Any:
    if isinstance(target, list) and part.isdecimal() and int(part) < len(target):
        return int(part)
    if isinstance(target, dict) and (part in target or may_be_new):
        return part
    known = list(target) if isinstance(target, dict) else []
    hint = nearest(part, known)
    if hint:
        remedy = f"Did you mean {hint!r}?"
    elif isinstance(target, list):
        remedy = f"Positions are 0 to {len(target) - 1}"
    else:
        remedy = f"Known: {', '.join(known) or 'nothing below it'}"
    raise ConfigError(f"--set {path}: there is no {part!r}", remedy)


def _parse(path: str, text: str) -> Any:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # ValueError: what looks like a date or number but is none, such as 2013-02-31. Not chained,
        # because the parser's own message repeats the value.
        raise ConfigError(
            f"--set {path}: {shorten(text)} is not YAML", "Put text in quotation marks"
        ) from None
    # JSON has no dates: a run's parameters hold them as text.
    return found.isoformat() if isinstance(found, dt.date) else found
