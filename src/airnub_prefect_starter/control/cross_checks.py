"""Mistakes that no single file shows: names that must be unique, or must exist elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.core.configuration import ConfigModel, YamlDocument
from airnub_prefect_starter.core.departments import DepartmentEntry
from airnub_prefect_starter.core.derivation import split_ref
from airnub_prefect_starter.core.lake.table_step import TableStep, limit_of
from airnub_prefect_starter.core.mistakes import Location
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig
from airnub_prefect_starter.core.monitoring.config import SourceWatch
from airnub_prefect_starter.core.sources import DatabaseSource, HttpSource

# What fields are called that hold refs, or several of them.
_READ = frozenset({"feeds", "features", "input", "inputs", "parts", "ref", "release", "tables"})


def check_flow_file(flow: Stage | Category, root: Path) -> Iterator[ConfigError]:
    """Find a flow that the department's file lists and that has no file."""
    if not (root / flow.flow_file).is_file():
        yield ConfigError(
            f"{flow.deployment}: there is no {flow.flow_file}",
            "Add the flow, or set flow_stem in the department's file",
        )


def check_section(
    entry: DepartmentEntry, document: YamlDocument, section: ConfigModel
) -> Iterator[ConfigError]:
    """Find names in a category's values that stand twice or that nothing else knows."""
    yield from _check_reads(entry, document, section)
    for field, items in section:
        if isinstance(items, AlertsConfig):
            yield from _check_routes(entry, document.place((field, "routes")), items)
        seen: set[str] = set()
        for position, item in enumerate(items if isinstance(items, tuple) else ()):
            place = document.place((field, position))
            name = getattr(item, "source_id", None)
            if name in seen:
                yield ConfigError(f"{place}: source_id {name!r} stands twice", "Rename one")
            elif isinstance(name, str):
                seen.add(name)
            yield from _check_item(entry, place, item)


def check_models(sections: Iterable[tuple[YamlDocument, ConfigModel]]) -> Iterator[ConfigError]:
    """Find models of a department that two categories register under one name."""
    places: dict[str, str] = {}
    for place, spec in _items(sections):
        if isinstance(spec, ModelSpec):
            first = places.setdefault(spec.name, place)
            if first != place:
                yield ConfigError(
                    f"{place}: {first} registers a model {spec.name} too", "Rename one"
                )


def check_tables(
    entry: DepartmentEntry, sections: Iterable[tuple[YamlDocument, ConfigModel]]
) -> Iterator[ConfigError]:
    """Find tables of the lake that two steps make, or that have one writer but no limit."""
    places: dict[str, str] = {}
    for place, step in _table_steps(sections):
        first, limit = places.setdefault(step.table, place), limit_of(step.table)
        if first != place:
            yield ConfigError(f"{place}: {first} makes {step.table} too", "Rename one")
        elif getattr(step, "writers", "single") == "single" and limit not in entry.spec.limits:
            yield ConfigError(
                f"{place}: {step.table} has no limit of one writer",
                f"Add `{limit}: 1` to limits of configs/departments/{entry.name.id}.yaml",
            )


def _table_steps(
    sections: Iterable[tuple[YamlDocument, ConfigModel]],
) -> Iterator[tuple[str, Any]]:
    return ((place, item) for place, item in _items(sections) if isinstance(item, TableStep))


def _items(sections: Iterable[tuple[YamlDocument, ConfigModel]]) -> Iterator[tuple[str, Any]]:
    for document, section in sections:
        for field, items in section:
            for position, item in enumerate(items if isinstance(items, tuple) else ()):
                yield document.place((field, position)), item


def _check_routes(
    entry: DepartmentEntry, place: str, alerts: AlertsConfig
) -> Iterator[ConfigError]:
    for route in alerts.routes:
        if route.secret is not None:
            yield from _known(place, "secret", route.secret, set(entry.spec.secrets))


def _check_item(entry: DepartmentEntry, place: str, item: BaseModel) -> Iterator[ConfigError]:
    if isinstance(item, HttpSource | DatabaseSource):
        if item.secret_name is not None:
            yield from _known(place, "secret", item.secret_name, set(entry.spec.secrets))
        return
    if isinstance(item, SourceWatch):
        known = _namespaces(entry)
        yield from _known(place, "category of the sources", item.namespace, known)


def _check_reads(
    entry: DepartmentEntry, document: YamlDocument, section: ConfigModel
) -> Iterator[ConfigError]:
    known = _namespaces(entry)
    for location, step in _steps(section):
        for ref in _refs(step):
            place = document.place(location)
            yield from _known(place, f"category of the ref {ref}", split_ref(ref)[0], known)


def _steps(section: ConfigModel) -> Iterator[tuple[Location, BaseModel]]:
    """List a section that is one step itself, or the steps in its fields."""
    if hasattr(section, "source_id"):
        yield (), section
        return
    for field, items in section:
        if isinstance(items, BaseModel):
            yield (field,), items
        for position, item in enumerate(items if isinstance(items, tuple) else ()):
            if isinstance(item, BaseModel):
                yield (field, position), item


def _namespaces(entry: DepartmentEntry) -> set[str]:
    stages = entry.spec.stages
    return {category.namespace for stage_id in stages for category in entry.categories(stage_id)}


def _refs(item: BaseModel) -> Iterator[str]:
    """List the refs that an item reads, and those of its parts."""
    for name, value in item:
        for each in _parts(value):
            if isinstance(each, BaseModel):
                yield from _refs(each)
            elif isinstance(each, str) and name in _READ:
                yield each


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple) else (value,)


def _known(place: str, what: str, name: str, known: set[str]) -> Iterator[ConfigError]:
    if name not in known:
        hint = nearest(name, known)
        listed = ", ".join(sorted(known)) or "none"
        remedy = f"Did you mean {hint!r}? Known: {listed}" if hint else f"Known: {listed}"
        yield ConfigError(f"{place}: the department has no {what}: {name!r}", remedy)
