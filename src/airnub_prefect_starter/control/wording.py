"""How differences are told: as a plan of what to do, or as drift of the server from Git."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from pydantic import JsonValue

from airnub_prefect_starter.control.differences import Action, Change, Difference

_SIGNS: dict[Action, str] = {"create": "+", "update": "~", "delete": "-"}
_TO_DO: dict[Action, str] = {"create": "create", "update": "update", "delete": "destroy"}
FOUND: dict[Action, str] = {"create": "missing", "update": "changed", "delete": "extra"}
_LONGEST = 60
_CONTEXT = 15  # characters that are kept before the first that differs


def plan_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Say what there is to do: a line per object, and per value that an update changes."""
    for change in changes:
        yield f"{_SIGNS[change.action]} {_TO_DO[change.action]:7} {change.kind} {change.name}"
        for each in change.differences:
            before, after = texts(each)
            yield f"    {each.field}: {before} → {after}"


def drift_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Say what is not on the server as Git says."""
    for change in changes:
        yield f"{_drift_sign(change)} {FOUND[change.action]:7} {change.kind} {change.name}"
        for each in change.differences:
            before, after = texts(each)
            yield f"    {each.field}: {after} in Git, {before} on the server"


def plan_total(changes: Collection[Change], unchanged: int) -> str:
    """Count what there is to do."""
    counts = _counts(changes)
    listed = ", ".join(f"{counts[action]} to {word}" for action, word in _TO_DO.items())
    return f"Plan: {listed}, {unchanged} unchanged"


def drift_total(changes: Collection[Change], unchanged: int) -> str:
    """Count what differs from Git."""
    counts = _counts(changes)
    listed = ", ".join(f"{counts[action]} {word}" for action, word in FOUND.items())
    return f"Drift: {listed}, {unchanged} in sync"


def _drift_sign(change: Change) -> str:
    return {"create": "-", "update": "~", "delete": "+"}[change.action]


def _counts(changes: Collection[Change]) -> dict[Action, int]:
    return {action: sum(each.action == action for each in changes) for action in _TO_DO}


def texts(difference: Difference) -> tuple[str, str]:
    """Give before and after as JSON, from about where they differ if they are long."""
    before, after = _json(difference.before), _json(difference.after)
    start = 0
    if max(len(before), len(after)) > _LONGEST:
        pairs = enumerate(zip(before, after, strict=False))
        same = next(
            (i for i, (one, other) in pairs if one != other), min(map(len, (before, after)))
        )
        start = max(0, same - _CONTEXT)
    return _cut(before, start), _cut(after, start)


def _json(value: JsonValue) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _cut(text: str, start: int) -> str:
    shown = f"…{text[start:]}" if start else text
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
