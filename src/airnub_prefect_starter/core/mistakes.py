"""What Pydantic finds wrong, in words for the person who wrote the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.core.redaction import redact_text

Location = tuple[int | str, ...]


def real_location(value: Any, location: Location) -> Location:
    """Drop what pydantic adds to a location, such as the tag of a union, and keep what exists."""
    real: list[int | str] = []
    for part in location:
        inside = (isinstance(value, Mapping) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        )
        if inside:
            value = value[part]
            real.append(part)
    return tuple(real)


def dotted(location: Location) -> str:
    """Give a location as people write it: ``files.0.url``."""
    return ".".join(str(part) for part in location) or "(top level)"


def mistakes_of(error: ValidationError) -> list[ErrorDetails]:
    """List what is wrong, but for a list that is too short only because its items are wrong."""
    found = error.errors(include_url=False)
    places = [each["loc"] for each in found]
    return [
        each
        for each in found
        if each["type"] != "too_short" or not any(_is_below(at, each["loc"]) for at in places)
    ]


def _is_below(location: Location, above: Location) -> bool:
    return len(location) > len(above) and location[: len(above)] == above


def reason(model: type[BaseModel], error: ErrorDetails) -> str:
    """Say what is wrong, what is allowed and, for a misspelt key, the nearest valid one."""
    if error["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(model, error["loc"][:-1]))
        hint = nearest(str(error["loc"][-1]), allowed)
        advice = f"did you mean {hint!r}? " if hint else ""
        return f"unknown key; {advice}Allowed: {', '.join(allowed)}"
    if error["type"] == "missing":
        return "is required and missing"
    message = error["msg"].removeprefix("Value error, ")  # what pydantic puts before our own
    return f"{shorten(error['input'])}: {message[:1].lower()}{message[1:]}"


def shorten(value: Any) -> str:
    """Give a value as messages may hold it: short, and without credentials."""
    text = repr(_redacted(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value


def _fields_at(model: type[BaseModel], location: Location) -> set[str]:
    """List the keys that the models reachable at a location accept."""
    models = [model]
    for part in location:
        inner = [
            found
            for each in models
            if isinstance(part, str) and part in each.model_fields
            for found in _models_in(each.model_fields[part].annotation)
        ]
        models = inner or models
    return {name for each in models for name in each.model_fields}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
