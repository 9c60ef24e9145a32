"""Where a flow's configuration comes from: its parameter, else a Prefect Variable, else YAML.

With ``PREFECT_API_URL`` set, the Variable is what counts and its absence is an error
(`Variable.get` alone cannot tell a missing one from an empty one). Without a server the YAML files
of the repository are read.
"""

import datetime as dt
from typing import Any, TypeVar

from prefect.variables import Variable

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml, validate_value
from airnub_prefect_starter.core.run_date import for_date
from airnub_prefect_starter.core.variables import SPLIT_MARK, join_section
from airnub_prefect_starter.tasks.run_context import has_server, run_date

Config = TypeVar("Config", bound=ConfigModel)

_REMEDY = "Correct the YAML and run `airnub config apply`"


def stage_config(
    stage: Stage, model: type[Config], given: Config | None, date: dt.date | None
) -> Config:
    """Give what a stage's run works on: its parameter, else what is configured, for its date.

    Args:
        stage: The stage.
        model: Its model, with a field per category.
        given: The run's parameter ``config``.
        date: The run's parameter ``date``; None for the day before the run was due.

    Raises:
        ConfigError: The Variable is missing or does not fit the model. No retry.
    """
    return for_date(given or load_stage_config(stage, model), date or run_date())


def category_config(
    category: Category, model: type[Config], given: Config | None, date: dt.date | None
) -> Config:
    """Give what a category's run works on; see `stage_config`.

    Raises:
        ConfigError: The Variable or the section is missing, or does not fit the model. No retry.
    """
    return for_date(given or load_category_config(category, model), date or run_date())


def load_stage_config(stage: Stage, model: type[Config]) -> Config:
    """Load a stage's configuration: one section per category.

    Args:
        stage: The stage.
        model: Its model, with a field per category.

    Raises:
        ConfigError: The Variable is missing or does not fit the model. No retry.
    """
    if has_server():
        name = f"Variable {stage.variable}"
        return validate_value(_stage_value(stage), model, name, remedy=_REMEDY)
    sections = {
        name: load_yaml(
            load_settings().project_root / stage.category(name).config_file,
            _model_of(model, name),
            settings=load_settings(),
        )
        for name in model.model_fields
    }
    return model.model_validate(sections)


def load_category_config(category: Category, model: type[Config]) -> Config:
    """Load one category's section of its stage's configuration.

    Raises:
        ConfigError: The Variable or the section is missing, or does not fit the model. No retry.
    """
    if not has_server():
        settings = load_settings()
        return load_yaml(settings.project_root / category.config_file, model, settings=settings)
    stage = _read(category.stage.variable)
    section = stage.get(category.id)
    if section is None:
        raise ConfigError(
            f"Variable {category.stage.variable} has no section {category.id}",
            _REMEDY,
        )
    value = _section(category) if section == SPLIT_MARK else section
    return validate_value(value, model, f"Variable {category.variable}", remedy=_REMEDY)


def _stage_value(stage: Stage) -> dict[str, Any]:
    found = _read(stage.variable).items()
    return {
        name: _section(stage.category(name)) if each == SPLIT_MARK else each for name, each in found
    }


def _section(category: Category) -> dict[str, Any]:
    return join_section(_read(category.variable), _read)


def _read(name: str) -> dict[str, Any]:
    value = Variable.get(name)
    if not isinstance(value, dict):
        raise ConfigError(
            f"The Prefect Variable {name} is {'missing' if value is None else 'not an object'}",
            "Run `airnub config apply`, or scripts/setup_prefect_variables.py",
        )
    return value


def _model_of(model: type[ConfigModel], field: str) -> type[ConfigModel]:
    annotation = model.model_fields[field].annotation
    if not (isinstance(annotation, type) and issubclass(annotation, ConfigModel)):
        raise TypeError(f"{model.__name__}.{field} must be a ConfigModel, not {annotation!r}")
    return annotation
