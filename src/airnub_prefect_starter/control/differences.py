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


def find_differences(
    field: str, before: JsonValue, after: JsonValue, *, is_secret: bool = False
) -> Iterator[Difference]:
    """Compare two unequal values and yield the innermost values that differ, without secrets."""
    inner_before, inner_after = _parts(before), _parts(after)
    found = False
    if not is_secret and inner_before is not None and inner_after is not None:
        for step in dict.fromkeys([*inner_before, *inner_after]):
            one, hides_one = inner_before.get(step, _NOTHING)
            other, hides_other = inner_after.get(step, _NOTHING)
            if one != other:
                found = True
                hides = hides_one or hides_other
                yield from find_differences(f"{field}{step}", one, other, is_secret=hides)
    # Without inner ones the order differs, or a key is there whose value is null.
    if not found:
        hidden = [without_secrets(each, is_secret=is_secret) for each in (before, after)]
        yield Difference(field, *hidden)


def without_secrets(value: JsonValue, *, is_secret: bool = False) -> JsonValue:
    """Mask all below a key whose name says that it is secret, and credentials in addresses."""
    if is_secret:
        return value if value is None or value == "" else MASK
    if isinstance(value, dict):
        return {
            key: without_secrets(each, is_secret=_is_secret(key, value))
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    return redact_text(value) if isinstance(value, str) else value


def _is_secret(key: str, holder: Mapping[str, JsonValue]) -> bool:
    name = holder.get("name")
    # A container's environment is a list of names and values.
    named = name if key == "value" and isinstance(name, str) else key
    return _SECRET.fullmatch(re.split(r"[./]", named)[-1]) is not None


_Part = tuple[JsonValue, bool]
_NOTHING: _Part = (None, False)


def _parts(value: JsonValue) -> Mapping[str, _Part] | None:
    """Take an object, or a list of objects, apart into values and whether they are secret."""
    if isinstance(value, dict):
        return {_step(key): (each, _is_secret(key, value)) for key, each in value.items()}
    if isinstance(value, list) and all(isinstance(each, dict | list) for each in value):
        return {label: (each, False) for label, each in zip(_labels(value), value, strict=True)}
    return None


def _step(key: str) -> str:
    return f'["{key}"]' if "." in key or "[" in key else f".{key}"


def _labels(items: Sequence[JsonValue]) -> list[str]:
    for key in _NAMES:
        names = [each.get(key) if isinstance(each, dict) else None for each in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return [f"[{name}]" for name in names]
    return [f"[{index}]" for index in range(len(items))]
