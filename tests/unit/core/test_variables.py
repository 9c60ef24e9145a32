"""A stage's configuration laid out over Prefect Variables."""

import json
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.core.variables import (
    MAX_VARIABLE_CHARACTERS,
    PARTS,
    SPLIT_MARK,
    build_variables,
    join_section,
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


@pytest.mark.parametrize(
    ("section", "parts"),
    [
        ({"files": [text(900)] * 20}, 4),
        ({"a": "x" * 3_000, "b": "y" * 3_000, "none": [], "empty": {}}, 2),
        ({"files": [text(4_900), text(10), text(4_900)], "sql": "z" * 90}, 3),
    ],
    ids=["one list", "values", "an item nearly as long as a Variable"],
)
def test_a_section_that_is_too_long_alone_is_in_parts_and_is_read_whole(
    section: dict[str, Any], parts: int
) -> None:
    variables = build_variables(STAGE, {"a": section})

    name = "dept_alpha_ingestion_a_config"
    assert variables[name] == {PARTS: [f"{name}_{number}" for number in range(1, parts + 1)]}
    assert all(len(json.dumps(value)) <= MAX_VARIABLE_CHARACTERS for value in variables.values())
    assert join_section(variables[name], variables.__getitem__) == section


def test_a_section_in_one_variable_is_read_as_it_is() -> None:
    nothing: dict[str, dict[str, Any]] = {}

    assert join_section({"files": [1]}, nothing.__getitem__) == {"files": [1]}


@pytest.mark.parametrize("section", [text(5_000), {"v": ["a", "x" * 5_000]}])
def test_a_value_that_is_too_long_alone_is_refused_by_its_file(section: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"configs/variables/dept_alpha/ingestion/a.yaml: 5,0.*v"):
        build_variables(STAGE, {"a": section})
