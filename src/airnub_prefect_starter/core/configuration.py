"""YAML files as closed, frozen models; a mistake is reported as ``file:line:column``.

A file holds values only. Whatever is wrong in it becomes one `ConfigError` whose lines each give
the place, the value, what is allowed and, for a misspelt key, the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import nearest
from airnub_prefect_starter.common.settings import Settings

Model = TypeVar("Model", bound=BaseModel)
_Location = tuple[int | str, ...]
_MAX_DEPTH = 50


class ConfigModel(BaseModel):
    """Base of every configuration model: closed and frozen; units live in the field names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class YamlDocument:
    """A parsed YAML file that remembers where each key and value stands.

    Args:
        path: The file.
        shown_as: How messages call it; the path as given by default.

    Raises:
        ConfigError: The file is missing, is not UTF-8 or YAML, repeats a key, nests deeper than
            50 levels or is not a mapping. No retry.
    """

    def __init__(self, path: Path, shown_as: str | None = None) -> None:
        self.name = shown_as or str(path)
        self._marks: dict[_Location, yaml.Mark] = {}
        root = self._compose(path)
        self.value: dict[str, Any] = self._construct(root, ())

    def place(self, location: _Location) -> str:
        """Give ``file:line:column`` of the deepest part of a location that the file has."""
        for length in range(len(location), -1, -1):
            mark = self._marks.get(location[:length])
            if mark is not None:
                return f"{self.name}:{mark.line + 1}:{mark.column + 1}"
        return self.name

    def _compose(self, path: Path) -> yaml.Node:
        try:
            text = path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except FileNotFoundError:
            raise ConfigError(
                f"{self.name}: no such file", "Create it or correct its name"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{self.name}: cannot be read: {error}", "It must be UTF-8 text"
            ) from error
        except RecursionError:
            raise ConfigError(
                f"{self.name}: nested too deeply", f"Use at most {_MAX_DEPTH} levels"
            ) from None
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from None
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(
                f"{self.name}:1:1: expected keys and values", "Begin with `key: value`"
            )
        return root

    def _syntax_error(self, error: yaml.YAMLError) -> ConfigError:
        mark = getattr(error, "problem_mark", None)
        where = f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return ConfigError(f"{where}: not valid YAML: {problem}", "Correct the syntax")

    def _construct(self, node: yaml.Node, location: _Location) -> Any:
        self._marks.setdefault(location, node.start_mark)
        if len(location) > _MAX_DEPTH:
            raise ConfigError(
                f"{self.place(location)}: nested too deeply", f"Use at most {_MAX_DEPTH} levels"
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._construct(each, (*location, i)) for i, each in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, location: _Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            here = (*location, key)
            if not isinstance(key, str) or key in found:
                line = (
                    f"{self.name}:{key_node.start_mark.line + 1}:{key_node.start_mark.column + 1}"
                )
                raise ConfigError(f"{line}: key {key!r} stands here twice", "Keep one of the two")
            # The key's own place: that is where a reader looks for a misspelt or a missing one.
            self._marks[here] = key_node.start_mark
            value = self._construct(value_node, here)
            if not isinstance(value, dict | list):
                self._marks[here] = value_node.start_mark
            found[key] = value
        return found


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()


def load_yaml(path: Path, model: type[Model], *, settings: Settings | None = None) -> Model:
    """Read a YAML file into a model, with ``${NAME}`` resolved where settings are given.

    Raises:
        ConfigError: Anything at all is wrong with the file; one line per mistake. No retry.
    """
    root = settings.project_root if settings else Path.cwd()
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    document = YamlDocument(path, shown)
    return validate(document, model, settings=settings)


def validate(
    document: YamlDocument, model: type[Model], *, settings: Settings | None = None
) -> Model:
    """Check a parsed YAML document against a model.

    Raises:
        ConfigError: It does not fit; one line per mistake. No retry.
    """
    value = settings.resolve(document.value) if settings else document.value
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = [_explain(document, model, each) for each in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from None


def validate_value(value: Mapping[str, Any], model: type[Model], source: str) -> Model:
    """Check a value that does not come from a file, such as a Prefect Variable or ``--set``.

    Args:
        value: What was found.
        model: What it should be.
        source: How messages call it.

    Raises:
        ConfigError: It does not fit; one line per mistake. No retry.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = [
            f"{source}: {_dotted(each['loc'])}: {_reason(model, each)}"
            for each in error.errors(include_url=False)
        ]
        raise ConfigError(
            "\n".join(lines), "Correct the YAML and run `airnub config apply`"
        ) from None


def _explain(document: YamlDocument, model: type[BaseModel], error: ErrorDetails) -> str:
    location = _real_location(document.value, error["loc"])
    return f"{document.place(location)}: {_dotted(error['loc'])}: {_reason(model, error)}"


def _real_location(value: Any, location: _Location) -> _Location:
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


def _dotted(location: _Location) -> str:
    return ".".join(str(part) for part in location) or "(top level)"


def _reason(model: type[BaseModel], error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(model, error["loc"][:-1]))
        hint = nearest(str(error["loc"][-1]), allowed)
        advice = f"did you mean {hint!r}? " if hint else ""
        return f"unknown key; {advice}Allowed: {', '.join(allowed)}"
    if error["type"] == "missing":
        return "is required and missing"
    return f"{_shorten(error['input'])}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _fields_at(model: type[BaseModel], location: _Location) -> set[str]:
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
