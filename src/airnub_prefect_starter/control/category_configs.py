"""The categories' YAML files, checked by the models that stand beside their flows."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.cross_checks import (
    check_flow_file,
    check_models,
    check_section,
    check_tables,
)
from airnub_prefect_starter.core.configuration import (
    ConfigModel,
    YamlDocument,
    validate,
    validate_value,
)
from airnub_prefect_starter.core.departments import Catalog
from airnub_prefect_starter.core.overrides import apply_overrides
from airnub_prefect_starter.core.variables import build_variables


def config_model(category: Category, root: Path) -> type[ConfigModel]:
    """Import a category's configuration model from the Prefect-free ``config.py`` beside its flow.

    Raises:
        ConfigError: The file is missing, cannot be imported, or has no such class. No retry.
    """
    file = category.config_model_file
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(".".join(file.with_suffix("").parts))
    except (ImportError, SyntaxError) as error:
        raise ConfigError(f"{file}: cannot be imported: {error}", "Correct the module") from error
    model = getattr(module, category.config_class, None)
    if not (isinstance(model, type) and issubclass(model, ConfigModel)):
        raise ConfigError(
            f"{file}: has no ConfigModel named {category.config_class}", "Add or rename the class"
        )
    return model


def load_section(category: Category, catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """Read a category's values, checked, with addresses resolved; no address may be a secret.

    Raises:
        ConfigError: The YAML file or the model is wrong, or an address is not set. No retry.
    """
    public = settings.hiding(catalog.secret_variables)
    document, _ = _read(category, public)
    section: dict[str, Any] = public.resolve(document.value)
    return section


def changed_config(
    flow: Stage | Category, catalog: Catalog, settings: Settings, overrides: Sequence[str]
) -> dict[str, Any]:
    """Read what a flow works on, with the overrides of one run, checked before anything runs.

    Args:
        flow: A category, for its section, or a stage, for its categories' sections by identifier.
        catalog: The departments.
        settings: Where ``${NAME}`` in the files leads.
        overrides: Each ``a.b.0.c=VALUE``.

    Raises:
        UnknownNameError: An override is for a category that there is not. No retry.
        ConfigError: A file, its model or an override is wrong. No retry.
    """
    if isinstance(flow, Category):
        section = apply_overrides(load_section(flow, catalog, settings), overrides)
        validate_value(section, config_model(flow, catalog.root), "--set")
        return section
    known = {each.id: each for each in catalog.department(flow.department.id).categories(flow.id)}
    sections = {name: load_section(each, catalog, settings) for name, each in known.items()}
    changed = apply_overrides(sections, overrides)
    for name, section in changed.items():
        if name not in known:
            raise unknown(f"category of {flow.deployment}", name, known)
        validate_value(section, config_model(known[name], catalog.root), f"--set {name}")
    return changed


def load_variables(catalog: Catalog, settings: Settings) -> dict[Stage, Mapping[str, Any]]:
    """Lay out every stage's configuration as Prefect Variables: stage → name → value.

    Variables are no place for secrets: no address may name one.

    Raises:
        ExceptionGroup: Of one ConfigError per mistake. No retry.
    """
    settings = settings.hiding(catalog.secret_variables)
    mistakes: list[ConfigError] = []
    variables: dict[Stage, Mapping[str, Any]] = {}
    for entry in catalog.entries.values():
        checked = []
        for stage, _ in entry.stages():
            mistakes += check_flow_file(stage, catalog.root)
            sections = {}
            for category in entry.categories(stage.id):
                mistakes += check_flow_file(category, catalog.root)
                try:
                    document, section = _read(category, settings)
                except ConfigError as error:
                    mistakes.append(error)
                else:
                    mistakes += check_section(entry, document, section)
                    checked.append((document, section))
                    sections[category.id] = settings.resolve(document.value)
            variables[stage] = build_variables(stage, sections)
        mistakes += check_tables(entry, checked)
        mistakes += check_models(checked)
    if mistakes:
        raise ExceptionGroup(f"{len(mistakes)} mistakes in the configuration", mistakes)
    return variables


def _read(category: Category, settings: Settings) -> tuple[YamlDocument, ConfigModel]:
    file = category.config_file
    document = YamlDocument(settings.project_root / file, str(file))
    model = config_model(category, settings.project_root)
    return document, validate(document, model, settings=settings)
