"""The churn table: its columns, their values, and the three sources that it is split into.

Source: IBM, Telco Customer Churn; address and digest are in `common.addresses`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from airnub_prefect_starter.core.tables import Column, TableSchema

KEY = "customerID"
TARGET, POSITIVE = "Churn", "Yes"
KEY_PATTERN = re.compile(r"[0-9]{4}-[A-Z]{5}")

NO_PHONE, NO_INTERNET = "No phone service", "No internet service"
YES_NO = ("Yes", "No")
INTERNET_SERVICES = (
    "OnlineSecurity",
    "OnlineBackup",
    "DeviceProtection",
    "TechSupport",
    "StreamingTV",
    "StreamingMovies",
)
CONTRACTS = ("Month-to-month", "One year", "Two year")
PAYMENT_METHODS = (
    "Electronic check",
    "Mailed check",
    "Bank transfer (automatic)",
    "Credit card (automatic)",
)
BLANK = " "
"""What the table has for the total charges of a customer who was never billed."""


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
NAMES = tuple(column.name for column in COLUMNS)
_NA_VALUES = ("", BLANK)

PartName = Literal["customers", "services", "billing"]
SPLITS: Mapping[str, tuple[str, ...]] = {
    "customers": (KEY, "gender", "SeniorCitizen", "Partner", "Dependents", "tenure", TARGET),
    "services": (KEY, "PhoneService", "MultipleLines", "InternetService", *INTERNET_SERVICES),
    "billing": (
        *(KEY, "Contract", "PaperlessBilling", "PaymentMethod"),
        *("MonthlyCharges", "TotalCharges"),
    ),
}
"""Columns of each part, the key in all of them; together they are the whole table."""


def columns_of(source: str) -> tuple[str, ...]:
    """Give the columns of a source: a part has some, anything else has all."""
    return SPLITS.get(source, NAMES)


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
