"""A table's contract checked by pandera: which rows break which rule, all of them at once."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from airnub_prefect_starter.core.column_types import parse_column
from airnub_prefect_starter.core.table_schema import Column, TableSchema

PROBLEMS = ("position", "column", "rule", "value")


def cast(raw: pd.DataFrame, schema: TableSchema) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Type a frame of text; what is not of its type becomes missing and is listed.

    Args:
        raw: Texts or missing values, with an index of positions.
        schema: What the columns should be; one that the frame lacks is missing in every row.

    Returns:
        The typed columns of the schema, and the problems: columns ``position``, ``column``,
        ``rule``, ``value``.
    """
    absent = pd.Series(None, raw.index, dtype="str")
    typed, problems = {}, []
    for column in schema.columns:
        text = raw.get(column.name, absent)
        parsed = parse_column(text, _of_any_value(column), schema.na_values)
        typed[column.name] = parsed.values
        problems += [_list(text[mask], column.name, why) for mask, why in parsed.problems]
    return pd.DataFrame(typed, index=raw.index), _join(problems)


def check(typed: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """List every value that its column's contract does not allow.

    Args:
        typed: What `cast` returns.
        schema: The contract: what may be missing, limits and allowed values.

    Returns:
        Columns ``position``, ``column``, ``rule``, ``value`` (as text).
    """
    contract = pa.DataFrameSchema({each.name: _column(each) for each in schema.columns})
    try:
        contract.validate(typed, lazy=True)
    except SchemaErrors as found:
        cases = found.failure_cases
        values = cases["failure_case"].map(str)
        problems = pd.DataFrame(
            {
                "position": cases["index"].astype("int64"),
                "column": cases["column"].astype("str"),
                "rule": cases["check"].astype("str"),
                "value": values.astype("str"),
            }
        )
        return problems.sort_values(["position", "column", "rule"], ignore_index=True)
    return _join([])


def _column(column: Column) -> Any:
    checks = []
    if column.minimum is not None:
        checks.append(pa.Check.ge(_number(column, column.minimum)))
    if column.maximum is not None:
        checks.append(pa.Check.le(_number(column, column.maximum)))
    if column.allowed is not None:
        checks.append(pa.Check.isin(list(column.allowed)))
    # The type is that of `cast`, which says more of a text that does not fit than pandera could.
    return pa.Column(dtype=None, nullable=column.nullable, checks=checks)


def _number(column: Column, limit: Any) -> float | int:
    return int(limit) if column.dtype == "int" and limit == int(limit) else float(limit)


def _of_any_value(column: Column) -> Column:
    return Column(name=column.name, dtype=column.dtype, nullable=True)


def _list(values: pd.Series[Any], column: str, rule: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"position": values.index, "column": column, "rule": rule, "value": values.astype("str")}
    )


def _join(problems: list[pd.DataFrame]) -> pd.DataFrame:
    if not problems:
        empty = {name: pd.Series(dtype="str") for name in PROBLEMS}
        return pd.DataFrame({**empty, "position": pd.Series(dtype="int64")})
    return pd.concat(problems, ignore_index=True).sort_values(
        ["position", "column"], kind="stable", ignore_index=True
    )
