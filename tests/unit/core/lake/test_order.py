from __future__ import annotations

import pytest
from pydantic import ValidationError

from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.order import gold_needs, silver_needs, silver_waves
from airnub_prefect_starter.core.lake.steps import BronzeStep, ForeignKey, SilverStep
from airnub_prefect_starter.core.table_schema import Column, ColumnType, TableSchema

CONTRACT = TableSchema(columns=(Column(name="id", dtype="int"),), key=("id",))


def _step(name: str, *refers_to: str) -> SilverStep:
    keys = tuple(ForeignKey(columns=("id",), table=each, references=("id",)) for each in refers_to)
    return SilverStep(name=name, contract=CONTRACT, foreign_keys=keys)


def _of(name: str, column: str, dtype: ColumnType) -> SilverStep:
    contract = TableSchema(columns=(Column(name=column, dtype=dtype),), key=(column,))
    return SilverStep(name=name, contract=contract)


def test_tables_come_after_those_that_they_refer_to() -> None:
    steps = [_step("flights", "planes", "airports"), _step("planes", "makers"), _step("makers")]

    waves = silver_waves([*steps, _step("airports")])

    names = [[step.name for step in wave] for wave in waves]
    assert names == [["airports", "makers"], ["planes"], ["flights"]]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([_step("a", "b"), _step("b", "a")], "round in a circle"),
        ([_step("a", "nowhere")], r"not made: \['nowhere'\]"),
        ([_step("a"), _step("a")], "the same name"),
        ([_step("a", "t"), _of("t", "id", "string")], "id of t are not there, or of other types"),
        ([_step("a", "t"), _of("t", "no", "int")], "id of t are not there, or of other types"),
    ],
    ids=["circle", "unknown", "twice", "type", "column"],
)
def test_an_order_that_cannot_be_is_refused(steps: list[SilverStep], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        silver_waves(steps)


def test_steps_name_what_they_need() -> None:
    gold = GoldStep(
        name="g", tables={"f": "processing.lake_etl/silver.flights"}, sql="SELECT 1", key=("id",)
    )

    assert silver_needs(_step("flights", "planes")) == ["bronze.flights", "silver.planes"]
    assert gold_needs(gold) == ["silver.flights"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"inputs": ["a/f-01", "b/f-01"]}, "two inputs have the source id f-01"),
        ({"inputs": []}, "at least 1 item"),
        ({"name": "../x"}, "should match pattern"),
        ({"reader": "html_table"}, "Input should be"),
    ],
    ids=["two of a name", "no input", "a way out", "pages"],
)
def test_a_wrong_bronze_step_is_refused(values: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        BronzeStep.model_validate({"name": "flights", "inputs": ["a/f"], **values})


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ({"columns": ["nope"], "table": "t", "references": ["id"]}, "no column nope"),
        ({"columns": ["id"], "table": "s", "references": ["id"]}, "refers to its own table"),
        ({"columns": ["id"], "table": "t", "references": ["a", "b"]}, "differ in number"),
    ],
    ids=["no column", "itself", "too many"],
)
def test_a_wrong_foreign_key_is_refused(key: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SilverStep.model_validate({"name": "s", "contract": CONTRACT, "foreign_keys": [key]})


@pytest.mark.parametrize(
    ("contract", "why"),
    [
        ({"columns": [{"name": "_row", "dtype": "int"}], "key": ["_row"]}, "columns of our own"),
        ({**CONTRACT.model_dump(), "partition_by": ["id"]}, "partition_by does not apply"),
    ],
    ids=["our column", "partitions"],
)
def test_a_contract_of_no_silver_table_is_refused(contract: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SilverStep.model_validate({"name": "s", "contract": contract})
