"""The text of one column as typed values, and what is wrong with those that do not fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from airnub_prefect_starter.core.table_schema import Column, ColumnType

# Generic in the stubs only, hence quoted.
Values: TypeAlias = "pd.Series[Any]"
Mask: TypeAlias = "pd.Series[bool]"

_INT = r"-?[0-9]{1,18}"
_FLOAT = r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIMESTAMP = (
    rf"{_DATE}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
)

_EXPECTED: Mapping[ColumnType, str] = {
    "string": "text",
    "int": "a whole number of at most 18 digits",
    "float": "a finite decimal number",
    "bool": "true, false, 1 or 0",
    "date": "a date such as 2013-01-31",
    "timestamp": "a time with a zone such as 2013-01-31T05:00:00Z",
}


@dataclass(frozen=True)
class TypedColumn:
    """The values of a column, missing where a value does not fit, and why it does not.

    Each mask in ``problems`` is aligned with the values; no row is in two of them.
    """

    values: Values
    problems: tuple[tuple[Mask, str], ...]


def parse_column(text: Values, column: Column, na_values: tuple[str, ...]) -> TypedColumn:
    """Convert a column of text; white space around anything but text is ignored.

    Args:
        text: Strings or missing values.
        column: What they should be.
        na_values: Texts that mean a missing value.
    """
    trimmed = text if column.dtype == "string" else text.str.strip()
    present = trimmed.mask(trimmed.isin(na_values))
    values = _PARSERS[column.dtype](present)
    missing = present.isna()
    problems = [(~missing & values.isna(), f"is not {_EXPECTED[column.dtype]}")]
    if not column.nullable:
        problems.append((missing, "is missing"))
    problems.extend(_outside(values, column))
    return TypedColumn(values, tuple((mask, why) for mask, why in problems if mask.any()))


def _outside(values: Values, column: Column) -> Iterator[tuple[Mask, str]]:
    whole = column.dtype == "int"
    if column.minimum is not None:
        least = math.ceil(column.minimum) if whole else float(column.minimum)
        yield _known(values < least), f"is below the minimum {column.minimum}"
    if column.maximum is not None:
        greatest = math.floor(column.maximum) if whole else float(column.maximum)
        yield _known(values > greatest), f"is above the maximum {column.maximum}"
    if column.allowed is not None:
        wrong = values.notna() & ~values.isin(column.allowed)
        yield wrong, f"is none of {', '.join(column.allowed)}"


def _known(mask: Values) -> Mask:
    return mask.fillna(value=False).astype(bool)


def _matching(text: Values, pattern: str) -> Values:
    return text.where(text.str.fullmatch(pattern).fillna(value=False).astype(bool))


def _string(text: Values) -> Values:
    return text.astype("str")


def _int(text: Values) -> Values:
    return _matching(text, _INT).astype("Int64")


def _float(text: Values) -> Values:
    values = _matching(text, _FLOAT).astype("float64")
    return values.where(np.isfinite(values))


def _bool(text: Values) -> Values:
    known = {"true": True, "1": True, "false": False, "0": False}
    return text.str.lower().map(known).astype("boolean")


def _date(text: Values) -> Values:
    moments = pd.to_datetime(_matching(text, _DATE), format="%Y-%m-%d", errors="coerce")
    # Through a timestamp: pandas has no direct way from its own times to Arrow's dates.
    return moments.astype(pd.ArrowDtype(pa.timestamp("us"))).astype(pd.ArrowDtype(pa.date32()))


def _timestamp(text: Values) -> Values:
    moments = pd.to_datetime(
        _matching(text, _TIMESTAMP), format="ISO8601", utc=True, errors="coerce"
    )
    return moments.astype("datetime64[us, UTC]")


_PARSERS: Mapping[ColumnType, Callable[[Values], Values]] = {
    "string": _string,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "date": _date,
    "timestamp": _timestamp,
}
