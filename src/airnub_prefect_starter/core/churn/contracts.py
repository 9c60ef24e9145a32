"""The rules of the churn table: of each column, of the key, and of columns together.

A contract of columns is checked by `core.lake.contracts`, as for every table of a lake; here is
what no contract of one column can say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from airnub_prefect_starter.core.churn.columns import INTERNET_SERVICES, KEY, NO_INTERNET, NO_PHONE
from airnub_prefect_starter.core.churn.findings import MAX_EXAMPLES, Finding
from airnub_prefect_starter.core.churn.telco import KEY_PATTERN
from airnub_prefect_starter.core.lake import contracts
from airnub_prefect_starter.core.table_schema import TableSchema

# A bill changes over the years; beyond these, a total is in another unit or of another customer.
_LEAST_SHARE, _GREATEST_SHARE = 0.5, 2.0


@dataclass(frozen=True)
class Rule:
    """What every row must be: ``broken`` marks, in a typed table, the rows that are not."""

    name: str
    columns: tuple[str, ...]
    broken: Callable[[pd.DataFrame], pd.Series[Any]]
    severity: Literal["error", "warning"] = "error"


def _unlike(one: pd.Series[Any], other: pd.Series[Any]) -> pd.Series[Any]:
    """Mark where only one of two things holds."""
    return one != other


def _without_internet(table: pd.DataFrame) -> pd.Series[Any]:
    no_internet = table["InternetService"] == "No"
    unlike = [_unlike(table[name] == NO_INTERNET, no_internet) for name in INTERNET_SERVICES]
    return pd.concat(unlike, axis=1).any(axis=1)


def _out_of_proportion(table: pd.DataFrame) -> pd.Series[Any]:
    share = table["TotalCharges"] / (table["tenure"].astype("float64") * table["MonthlyCharges"])
    return (table["tenure"] > 0) & share.notna() & ~share.between(_LEAST_SHARE, _GREATEST_SHARE)


TABLE_RULES = (
    Rule(
        "MultipleLines is 'No phone service' exactly where PhoneService is No",
        ("PhoneService", "MultipleLines"),
        lambda table: _unlike(table["PhoneService"] == "No", table["MultipleLines"] == NO_PHONE),
    ),
    Rule(
        "six services are 'No internet service' exactly where InternetService is No",
        ("InternetService", *INTERNET_SERVICES),
        _without_internet,
    ),
    Rule(
        "TotalCharges is blank exactly where tenure is 0",
        ("tenure", "TotalCharges"),
        lambda table: _unlike(table["tenure"] == 0, table["TotalCharges"].isna()),
    ),
    Rule(
        "TotalCharges is MonthlyCharges where tenure is 1",
        ("tenure", "MonthlyCharges", "TotalCharges"),
        lambda table: (table["tenure"] == 1) & (table["TotalCharges"] != table["MonthlyCharges"]),
    ),
    Rule(
        "TotalCharges is about tenure times MonthlyCharges",
        ("tenure", "MonthlyCharges", "TotalCharges"),
        _out_of_proportion,
        severity="warning",
    ),
)
KEY_RULES = (
    Rule(
        "customerID is four digits, a dash and five capitals",
        (KEY,),
        lambda table: ~table[KEY].str.fullmatch(KEY_PATTERN.pattern),
    ),
    Rule("customerID is unique", (KEY,), lambda table: table[KEY].duplicated()),
)


def check_source(
    name: str, raw: pd.DataFrame, schema: TableSchema
) -> tuple[pd.DataFrame, list[Finding]]:
    """Type a source and check it alone: columns, key, and that there are rows.

    Args:
        name: How findings call it.
        raw: Texts, as a reader gives them.
        schema: The contract of its columns.

    Returns:
        The typed rows, in which a text that does not fit is missing, and what is wrong with them.
    """
    typed, misfits = contracts.cast(raw, schema)
    misfits = pd.concat([misfits, _of_other_cells(contracts.check(typed, schema), misfits)])
    findings = list(_by_rule(name, misfits))
    if raw.empty:
        findings.append(Finding(rule="a source has rows", source=name, rows=0))
    return typed, [*findings, *broken_rules(name, typed, KEY_RULES)]


def broken_rules(name: str, typed: pd.DataFrame, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """Find the rules that rows break, each with its number of rows and the first of them."""
    for rule in rules:
        mask = rule.broken(typed).fillna(value=False).astype(bool)
        if mask.any():
            yield Finding(
                rule=rule.name,
                source=name,
                severity=rule.severity,
                rows=int(mask.sum()),
                examples=_examples(typed.loc[mask, list(rule.columns)]),
            )


def check_coverage(parts: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Find customers that one part has and another has not: every part must have every one."""
    everybody = set().union(*(part[KEY].dropna() for part in parts.values()))
    for name, part in parts.items():
        missing = sorted(everybody.difference(part[KEY]))
        if missing:
            yield Finding(
                rule="every part has every customer",
                source=name,
                rows=len(missing),
                examples=tuple(f"no row of {key}" for key in missing[:MAX_EXAMPLES]),
            )


def _of_other_cells(found: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Leave out of what is found the cells whose text was of another type: it is missing now."""
    cells = ["position", "column"]
    return found[~found.set_index(cells).index.isin(known.set_index(cells).index)]


def _by_rule(name: str, problems: pd.DataFrame) -> Iterator[Finding]:
    for (column, rule), cases in problems.groupby(["column", "rule"], sort=True):
        first = cases.head(MAX_EXAMPLES)[["position", "value"]]
        yield Finding(
            rule=f"{column} {rule}",
            source=name,
            rows=len(cases),
            examples=tuple(f"row {row}: {value!r}" for row, value in first.itertuples(index=False)),
        )


def _examples(rows: pd.DataFrame) -> tuple[str, ...]:
    found, label = rows.head(MAX_EXAMPLES), rows.index.name or "row"
    return tuple(
        f"{label} {row}: {', '.join(f'{name}={value}' for name, value in values.items())}"
        for row, values in zip(found.index, found.to_dict("records"), strict=True)
    )
