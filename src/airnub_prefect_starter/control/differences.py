"""In what a registered object differs from what Git says, as data without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from airnub_prefect_starter.core.redaction import redact_text

Action = Literal["create", "update", "delete"]

MASK = "********"
# In capitals any environment variable with a key; else no more than what is surely one: `secret`
# is the name of a secret in this project's files.
_SECRET = re.compile(
    r"[A-Z0-9_]*(TOKEN|SECRET|PASSWORD|PASSWD|KEY|CREDENTIALS?|AUTH_STRING)"
    r"|([a-z0-9]+_)*(token|password|passwd|api_key)"
)
# What tells the items of a list apart, so that an inserted one does not move all that follow.
_NAMES = ("source_id", "name", "cron")


@dataclass(frozen=True)
class Difference:
    """A value that is not as it should be; secrets are masked.

    Attributes:
        field: Where: a field and, inside it, keys and items: ``value.files[weather].url``.
        before: What is registered; None where there is nothing.
        after: What Git says; None where it says nothing.
    """

    field: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True)
class Change:
    """Something to do to an object.

    Attributes:
        owners: The departments that it belongs to.
    """

    kind: str
    name: str
    action: Action
    differences: tuple[Difference, ...] = ()
    owners: tuple[str, ...] = ()

    def __str__(self) -> str:
        fields = dict.fromkeys(re.split(r"[.\[]", each.field)[0] for each in self.differences)
        suffix = f" ({', '.join(fields)})" if fields else ""
        return f"{self.action} {self.kind} {self.name}{suffix}"


def find_differences(field: str, before: JsonValue, after: JsonValue) -> Iterator[Difference]:
    """Compare two unequal values and yield the innermost values that differ."""
    yield from _inner(field, before, after, secret=_is_secret(field))


def _inner(
    field: str, before: JsonValue, after: JsonValue, *, secret: bool
) -> Iterator[Difference]:
    if secret:
        yield Difference(field, _masked(before), _masked(after))
        return
    inner_before, inner_after = _parts(before), _parts(after)
    hidden = {_step(key) for key in (*_secret_keys(before), *_secret_keys(after))}
    found = False
    if inner_before is not None and inner_after is not None:
        for step in dict.fromkeys([*inner_before, *inner_after]):
            one, other = inner_before.get(step), inner_after.get(step)
            if one != other:
                found = True
                yield from _inner(f"{field}{step}", one, other, secret=step in hidden)
    # Without inner ones the order differs, or a key is there whose value is null.
    if not found:
        yield Difference(field, _without_secrets(before), _without_secrets(after))


def _without_secrets(value: JsonValue) -> JsonValue:
    """Mask what a key's name says is secret, and credentials in addresses."""
    if isinstance(value, dict):
        hidden = _secret_keys(value)
        return {
            key: _masked(each) if key in hidden else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return redact_text(value) if isinstance(value, str) else value


def _secret_keys(value: JsonValue) -> set[str]:
    """Name the keys of an object whose values are secret: also `value` beside a secret's `name`."""
    if not isinstance(value, dict):
        return set()
    of_name = {"value"} if _is_secret(str(value.get("name"))) else set()
    return {key for key in value if _is_secret(key)} | of_name


def _is_secret(name: str) -> bool:
    return _SECRET.fullmatch(name.rpartition(".")[2]) is not None


def _masked(value: JsonValue) -> JsonValue:
    return MASK if value else value


def _parts(value: JsonValue) -> Mapping[str, JsonValue] | None:
    """Take an object, or a list of objects, apart; None for anything else."""
    if isinstance(value, dict):
        return {_step(key): each for key, each in value.items()}
    if isinstance(value, list) and all(isinstance(each, dict | list) for each in value):
        return dict(zip(_labels(value), value, strict=True))
    return None


def _step(key: str) -> str:
    return f'["{key}"]' if "." in key or "[" in key else f".{key}"


def _labels(items: Sequence[JsonValue]) -> list[str]:
    for key in _NAMES:
        names = [each.get(key) if isinstance(each, dict) else None for each in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return [f"[{name}]" for name in names]
    return [f"[{index}]" for index in range(len(items))]
