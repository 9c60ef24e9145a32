from __future__ import annotations

import pandas as pd
import pytest

from airnub_prefect_starter.core.column_types import parse_column
from airnub_prefect_starter.core.table_schema import Column

NA = ("", "NA")


def _parse(column: Column, *texts: str | None) -> tuple[list[object], dict[str, list[int]]]:
    parsed = parse_column(pd.Series(list(texts), dtype="str"), column, NA)
    values: list[object] = [None if pd.isna(value) else value for value in parsed.values]
    problems = {why: [at for at, bad in enumerate(mask) if bad] for mask, why in parsed.problems}
    return values, problems


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        (Column(name="a", dtype="string"), " ü ", " ü "),
        (Column(name="a", dtype="int"), " -007 ", -7),
        (Column(name="a", dtype="int"), "9" * 18, 10**18 - 1),
        (Column(name="a", dtype="float"), "10.357019999999999", 10.357019999999999),
        (Column(name="a", dtype="float"), "-1e-3", -0.001),
        (Column(name="a", dtype="float"), ".5", 0.5),
        (Column(name="a", dtype="float"), "5.", 5.0),
        (Column(name="a", dtype="bool"), "TRUE", True),
        (Column(name="a", dtype="bool"), "0", False),
        (Column(name="a", dtype="date"), "2012-02-29", pd.Timestamp("2012-02-29").date()),
        (
            Column(name="a", dtype="timestamp"),
            "2013-01-01T00:30:00.25+01:00",
            pd.Timestamp("2012-12-31T23:30:00.25Z"),
        ),
        (Column(name="a", dtype="timestamp"), "2013-01-01 05:00Z", pd.Timestamp("2013-01-01T05Z")),
    ],
    ids=str,
)
def test_fitting_text(column: Column, text: str, value: object) -> None:
    assert _parse(column, text) == ([value], {})


@pytest.mark.parametrize(
    ("dtype", "texts"),
    [
        ("int", ["1.0", "1e3", "0x1", "1_000", "+1", "٣", "9" * 19, "a", "nan", "1 2"]),
        ("float", ["nan", "inf", "1e999", "1,5", "--1", "e5", ".", "0x1p3", "1e-9999"]),
        ("bool", ["yes", "2", "t", "on"]),
        ("date", ["2013-02-29", "2013-1-1", "01/02/2013", "2013-01-01T00:00:00Z", "99999-01-01"]),
        (
            "timestamp",
            ["2013-01-01T05:00:00", "2013-01-01", "2013-02-30T05:00:00Z", "now", "1357020000"],
        ),
    ],
    ids=["int", "float", "bool", "date", "timestamp"],
)
def test_text_that_does_not_fit(dtype: str, texts: list[str]) -> None:
    column = Column.model_validate({"name": "a", "dtype": dtype, "nullable": True})

    values, problems = _parse(column, *texts)

    assert values == [None] * len(texts)
    assert list(problems.values()) == [list(range(len(texts)))]


@pytest.mark.parametrize("dtype", ["string", "int", "float", "bool", "date", "timestamp"])
def test_missing_values(dtype: str) -> None:
    required = Column.model_validate({"name": "a", "dtype": dtype})
    optional = Column.model_validate({"name": "a", "dtype": dtype, "nullable": True})

    assert _parse(required, "", "NA", None) == ([None] * 3, {"is missing": [0, 1, 2]})
    assert _parse(optional, "", "NA", None) == ([None] * 3, {})


def test_what_counts_as_missing_is_the_schemas_choice() -> None:
    parsed = parse_column(
        pd.Series(["NA", "-"], dtype="str"), Column(name="a", dtype="string"), ("-",)
    )

    assert parsed.values.iloc[0] == "NA"
    assert [(list(mask), why) for mask, why in parsed.problems] == [([False, True], "is missing")]


@pytest.mark.parametrize(
    ("facts", "texts", "problems"),
    [
        (
            {"dtype": "int", "minimum": 1, "maximum": 3},
            ["0", "1", "3", "4", "x"],
            {
                "is not a whole number of at most 18 digits": [4],
                "is below the minimum 1": [0],
                "is above the maximum 3": [3],
            },
        ),
        (
            {"dtype": "int", "minimum": 0.5, "maximum": 2.5},
            ["0", "1", "2", "3"],
            {"is below the minimum 0.5": [0], "is above the maximum 2.5": [3]},
        ),
        (
            {"dtype": "float", "minimum": -0.1, "nullable": True},
            ["-0.1", "-0.11", "NA"],
            {"is below the minimum -0.1": [1]},
        ),
        (
            {"dtype": "string", "allowed": ["EWR", "JFK"], "nullable": True},
            ["EWR", "ewr", "NA"],
            {"is none of EWR, JFK": [1]},
        ),
    ],
    ids=["int", "int-with-fraction", "float", "allowed"],
)
def test_ranges(facts: dict[str, object], texts: list[str], problems: dict[str, list[int]]) -> None:
    assert _parse(Column.model_validate({"name": "a", **facts}), *texts)[1] == problems
