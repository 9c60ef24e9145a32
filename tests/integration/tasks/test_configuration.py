"""A flow's configuration from Prefect Variables: whole, split, missing, wrong."""

import datetime as dt
import uuid
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.variables import Variable

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Department, Stage
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.variables import build_variables
from airnub_prefect_starter.tasks import run_context
from airnub_prefect_starter.tasks.configuration import (
    category_config,
    load_category_config,
    load_stage_config,
    stage_config,
)


class Files(ConfigModel):
    names: tuple[str, ...]


class Pages(ConfigModel):
    depth: int = 1


class Ingestion(ConfigModel):
    files: Files
    pages: Pages


@pytest.fixture
def stage() -> Stage:
    """Name a stage that no other test uses."""
    return Department(f"d{uuid.uuid4().hex[:12]}", "Some").stage("ingestion")


def save(stage: Stage, **sections: dict[str, Any]) -> None:
    for name, value in build_variables(stage, sections).items():
        Variable.set(name, value, overwrite=True)


def test_sections_come_from_the_stages_variable(stage: Stage) -> None:
    save(stage, files={"names": ["a"]}, pages={"depth": 2})

    assert load_stage_config(stage, Ingestion) == Ingestion(
        files=Files(names=("a",)), pages=Pages(depth=2)
    )
    assert load_category_config(stage.category("pages"), Pages) == Pages(depth=2)


class Twice(ConfigModel):
    first: Files
    second: Files


def test_sections_that_are_too_long_together_come_from_their_own(stage: Stage) -> None:
    names = [f"file-{number:04}" for number in range(600)]  # too long alone too
    save(stage, first={"names": names}, second={"names": names})

    config = load_stage_config(stage, Twice)

    assert config.first.names == config.second.names == tuple(names)
    assert load_category_config(stage.category("first"), Files).names == tuple(names)


class Days(ConfigModel):
    files: Files


def test_a_run_works_on_the_configuration_of_its_date(stage: Stage) -> None:
    save(stage, files={"names": ["a", "flights-{date:%Y%m%d}"]})
    category, date = stage.category("files"), dt.date(2013, 1, 5)

    whole = stage_config(stage, Days, None, date)

    assert whole.files.names == ("a", "flights-20130105")
    assert category_config(category, Files, None, date) == whole.files
    assert category_config(category, Files, whole.files, dt.date(2020, 2, 2)) is whole.files


def test_a_missing_variable_says_how_to_make_it(stage: Stage) -> None:
    with pytest.raises(ConfigError, match=rf"{stage.variable} is missing.*airnub config apply"):
        load_stage_config(stage, Ingestion)


def test_a_missing_section_is_named(stage: Stage) -> None:
    save(stage, files={"names": []})

    with pytest.raises(ConfigError, match="has no section pages"):
        load_category_config(stage.category("pages"), Pages)


def test_a_value_that_was_edited_wrongly_is_named(stage: Stage) -> None:
    save(stage, files={"names": ["a"]}, pages={"dept": 2})

    with pytest.raises(ConfigError, match=r"pages.dept: unknown key; did you mean 'depth'"):
        load_stage_config(stage, Ingestion)


@pytest.mark.parametrize("token", ["1e5", "true", "007", '{"a": 1}'])
def test_a_secret_comes_back_as_it_was_set(token: str) -> None:
    name = f"s{uuid.uuid4().hex[:12]}"
    Secret(value=token).save(name, _sync=True)  # type: ignore[call-arg]

    assert run_context._secret_of_block(name, "TOKEN").get_secret_value() == token


def test_a_secret_that_is_not_there_says_how_to_make_it() -> None:
    with pytest.raises(ConfigError, match=r"Set TOKEN and run `airnub bootstrap`"):
        run_context._secret_of_block("nothing-of-the-kind", "TOKEN")
