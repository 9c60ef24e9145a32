"""The churn table: its columns with their types and values, as contracts know them.

Source: IBM, Telco Customer Churn; address and digest are in `common.addresses`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from airnub_prefect_starter.core.churn.columns import (
    BLANK,
    CONTRACTS,
    INTERNET_SERVICES,
    KEY,
    NAMES,
    NO_INTERNET,
    NO_PHONE,
    PAYMENT_METHODS,
    TARGET,
)
from airnub_prefect_starter.core.table_schema import Column, TableSchema

PartName = Literal["customers", "services", "billing"]
KEY_PATTERN = re.compile(r"[0-9]{4}-[A-Z]{5}")
YES_NO = ("Yes", "No")


def _choice(name: str, *values: str) -> Column:
    return Column(name=name, dtype="string", allowed=values)


def _number(name: str, kind: Literal["int", "float"], least: str, greatest: str) -> Column:
    return Column(name=name, dtype=kind, minimum=Decimal(least), maximum=Decimal(greatest))


# Limits of numbers are wide: they find a wrong unit or a shifted column, not an unusual customer.
COLUMNS = (
    Column(name=KEY, dtype="string"),
    _choice("gender", "Female", "Male"),
    _number("SeniorCitizen", "int", "0", "1"),
    _choice("Partner", *YES_NO),
    _choice("Dependents", *YES_NO),
    _number("tenure", "int", "0", "120"),
    _choice("PhoneService", *YES_NO),
    _choice("MultipleLines", *YES_NO, NO_PHONE),
    _choice("InternetService", "DSL", "Fiber optic", "No"),
    *(_choice(name, *YES_NO, NO_INTERNET) for name in INTERNET_SERVICES),
    _choice("Contract", *CONTRACTS),
    _choice("PaperlessBilling", *YES_NO),
    _choice("PaymentMethod", *PAYMENT_METHODS),
    _number("MonthlyCharges", "float", "0", "1000"),
    _number("TotalCharges", "float", "0", "100000").model_copy(update={"nullable": True}),
    _choice(TARGET, *YES_NO),
)
_NA_VALUES = ("", BLANK)


def schema_of(names: tuple[str, ...] = NAMES) -> TableSchema:
    """Give the contract of the table, or of some of its columns in the order given."""
    by_name = {column.name: column for column in COLUMNS}
    return TableSchema(
        columns=tuple(by_name[name] for name in names), key=(KEY,), na_values=_NA_VALUES
    )


def text_schema(names: tuple[str, ...] = NAMES) -> TableSchema:
    """Give the same columns as text in which nothing means a missing value: as received."""
    columns = tuple(Column(name=name, dtype="string", nullable=name != KEY) for name in names)
    return TableSchema(columns=columns, key=(KEY,), na_values=())
