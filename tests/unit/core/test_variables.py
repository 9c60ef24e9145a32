"""A stage's configuration laid out over Prefect Variables."""

import json

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.core.variables import (
    MAX_VARIABLE_CHARACTERS,
    SPLIT_MARK,
    build_variables,
)

STAGE = Department("alpha", "Alpha").stage("ingestion")


def text(length: int) -> dict[str, str]:
    return {"v": "x" * length}


def test_a_short_configuration_is_one_variable() -> None:
    assert build_variables(STAGE, {"a": {"n": 1}, "b": {}}) == {
        "dept_alpha_ingestion_config": {"a": {"n": 1}, "b": {}}
    }


def test_a_long_one_is_split_by_section_and_no_part_is_too_long() -> None:
    variables = build_variables(STAGE, {"a": text(3_000), "b": text(3_000)})

    assert variables == {
        "dept_alpha_ingestion_config": {"a": SPLIT_MARK, "b": SPLIT_MARK},
        "dept_alpha_ingestion_a_config": text(3_000),
        "dept_alpha_ingestion_b_config": text(3_000),
    }
    assert all(len(json.dumps(value)) <= MAX_VARIABLE_CHARACTERS for value in variables.values())


def test_a_section_that_is_too_long_alone_is_refused_by_its_file() -> None:
    with pytest.raises(ConfigError, match=r"configs/variables/dept_alpha/ingestion/a.yaml: 5,0"):
        build_variables(STAGE, {"a": text(5_000)})
