"""YAML files as closed, frozen models; a mistake is reported as ``file:line:column``.

A file holds values only. Whatever is wrong in it becomes one `ConfigError` whose lines each give
the place, the value, what is allowed and, for a misspelt key, the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.mistakes import (
    Location,
    dotted,
    mistakes_of,
    real_location,
    reason,
    shorten,
)

Model = TypeVar("Model", bound=BaseModel)
_MAX_DEPTH = 50
_MAX_NODES = 20_000


class ConfigModel(BaseModel):
    """Base of every configuration model: closed and frozen; units live in the field names."""

    # Pydantic's own messages repeat the input, which may be an address with credentials in it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class YamlDocument:
    """A parsed YAML file that remembers where each key and value stands.

    Args:
        path: The file.
        shown_as: How messages call it; the path as given by default.

    Raises:
        ConfigError: The file is missing, is not UTF-8 or YAML, repeats a key, nests deeper than
            50 levels, holds more than 20,000 values or is not a mapping. No retry.
    """

    def __init__(self, path: Path, shown_as: str | None = None) -> None:
        self.name = shown_as or str(path)
        self._marks: dict[Location, yaml.Mark] = {}
        self._nodes = 0
        root = self._compose(path)
        self.value: dict[str, Any] = self._construct(root, ())

    def place(self, location: Location) -> str:
        """Give ``file:line:column`` of the deepest part of a location that the file has."""
        for length in range(len(location), -1, -1):
            mark = self._marks.get(location[:length])
            if mark is not None:
                return self._line(mark)
        return self.name

    def _compose(self, path: Path) -> yaml.Node:
        text = self._read(path)
        try:
            root = _composed(text)
        except RecursionError:
            raise self._too_deep(_first_deep_mark(text)) from None
        except yaml.YAMLError as error:
            raise self._syntax_error(text, error) from None
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(
                f"{self.name}:1:1: expected keys and values", "Begin with `key: value`"
            )
        return root

    def _read(self, path: Path) -> str:
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise ConfigError(
                f"{self.name}: no such file", "Create it or correct its name"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.name}: cannot be read: {error.strerror}", "Check its type and permissions"
            ) from error
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            where = _at(self.name, raw[: error.start].decode())
            raise ConfigError(
                f"{where}: byte 0x{raw[error.start]:02x} is not UTF-8", "Save the file as UTF-8"
            ) from None

    def _syntax_error(self, text: str, error: yaml.YAMLError) -> ConfigError:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if isinstance(error, yaml.reader.ReaderError):
            where = _at(self.name, text[: error.position])
            problem = f"character {chr(error.character)!r} is not allowed"
        else:
            where = self._line(getattr(error, "problem_mark", None))
        return ConfigError(f"{where}: not valid YAML: {problem}", "Correct the syntax")

    def _too_deep(self, mark: yaml.Mark | None) -> ConfigError:
        return ConfigError(
            f"{self._line(mark)}: nested too deeply", f"Use at most {_MAX_DEPTH} levels"
        )

    def _line(self, mark: yaml.Mark | None) -> str:
        return f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name

    def _construct(self, node: yaml.Node, location: Location) -> Any:
        self._marks.setdefault(location, node.start_mark)
        self._nodes += 1
        if len(location) > _MAX_DEPTH:
            raise self._too_deep(node.start_mark)
        if self._nodes > _MAX_NODES:
            # A few lines of aliases of aliases stand for billions of values.
            raise ConfigError(
                f"{self._line(node.start_mark)}: more than {_MAX_NODES} values, aliases included",
                "Split the file, or use fewer aliases",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._construct(each, (*location, i)) for i, each in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            here = (*location, key)
            if not isinstance(key, str):
                raise ConfigError(f"{self._line(key_node.start_mark)}: a key must be one word")
            if key in found:
                line = self._line(key_node.start_mark)
                raise ConfigError(f"{line}: key {key!r} stands here twice", "Keep one of the two")
            # The key's own place: that is where a reader looks for a misspelt or a missing one.
            self._marks[here] = key_node.start_mark
            value = self._construct(value_node, here)
            if not isinstance(value, dict | list):
                self._marks[here] = value_node.start_mark
            found[key] = value
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # An unknown tag, or what looks like a date or number but is none, such as 2013-02-31.
            problem = getattr(error, "problem", None) or error
            raise ConfigError(
                f"{self._line(node.start_mark)}: {shorten(node.value)}: {problem}",
                "Put text in quotation marks",
            ) from None
        finally:
            loader.dispose()


def _at(name: str, before: str) -> str:
    """Give ``file:line:column`` of what follows the given beginning of a file."""
    return f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def _composed(text: str) -> yaml.Node | None:
    # libyaml takes a sixth of the time. But it overflows the stack of the process where values are
    # nested deeply, and its messages are terser.
    try:
        if _first_deep_mark(text) is None:
            return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        pass
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _first_deep_mark(text: str) -> Any:
    depth = 0
    # Parsing into events needs no recursion.
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            return event.start_mark
    return None


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
    value = _resolved(document, document.value, (), settings) if settings else document.value
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = [_explain(document, model, each) for each in mistakes_of(error)]
        raise ConfigError("\n".join(lines)) from None


def _resolved(document: YamlDocument, value: Any, at: Location, settings: Settings) -> Any:
    if isinstance(value, Mapping):
        return {k: _resolved(document, v, (*at, k), settings) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolved(document, v, (*at, i), settings) for i, v in enumerate(value)]
    try:
        return settings.resolve(value)
    except ConfigError as error:
        raise ConfigError(f"{document.place(at)}: {error.message}", error.remedy) from None


def validate_value(
    value: Mapping[str, Any], model: type[Model], source: str, *, remedy: str = ""
) -> Model:
    """Check a value that does not come from a file, such as a Prefect Variable or ``--set``.

    Args:
        value: What was found.
        model: What it should be.
        source: How messages call it.
        remedy: What a reader can do about a mistake.

    Raises:
        ConfigError: It does not fit; one line per mistake. No retry.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = [
            f"{source}: {dotted(each['loc'])}: {reason(model, each)}" for each in mistakes_of(error)
        ]
        raise ConfigError("\n".join(lines), remedy) from None


def _explain(document: YamlDocument, model: type[BaseModel], error: ErrorDetails) -> str:
    location = real_location(document.value, error["loc"])
    return f"{document.place(location)}: {dotted(error['loc'])}: {reason(model, error)}"
