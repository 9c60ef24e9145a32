"""Mistakes that no single file shows: names that must be unique, or must exist elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Category, Stage, nearest
from airnub_prefect_starter.core.configuration import ConfigModel, YamlDocument
from airnub_prefect_starter.core.departments import DepartmentEntry
from airnub_prefect_starter.core.derivation import split_ref
from airnub_prefect_starter.core.features.steps import FeatureStep
from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.steps import BronzeStep
from airnub_prefect_starter.core.lake.table_step import TableStep, limit_of
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig
from airnub_prefect_starter.core.monitoring.config import SourceWatch, TableWatch
from airnub_prefect_starter.core.sources import DatabaseSource, HttpSource
from airnub_prefect_starter.core.steps import AnalysisStep, ProcessingStep


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
    for document, section in sections:
        for field, items in section:
            for position, item in enumerate(items if isinstance(items, tuple) else ()):
                if isinstance(item, TableStep):
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
    known = {
        category.namespace
        for stage_id in entry.spec.stages
        for category in entry.categories(stage_id)
    }
    for ref in _refs(item):
        yield from _known(place, f"category of the ref {ref}", split_ref(ref)[0], known)
    if isinstance(item, SourceWatch):
        yield from _known(place, "category of the sources", item.namespace, known)


def _refs(item: BaseModel) -> tuple[str, ...]:
    if isinstance(item, TableWatch):
        return (item.ref,) if item.ref else ()
    if isinstance(item, ProcessingStep | BronzeStep | FeatureStep):
        return item.inputs
    return tuple(item.tables.values()) if isinstance(item, AnalysisStep | GoldStep) else ()


def _known(place: str, what: str, name: str, known: set[str]) -> Iterator[ConfigError]:
    if name not in known:
        hint = nearest(name, known)
        listed = ", ".join(sorted(known)) or "none"
        remedy = f"Did you mean {hint!r}? Known: {listed}" if hint else f"Known: {listed}"
        yield ConfigError(f"{place}: the department has no {what}: {name!r}", remedy)
