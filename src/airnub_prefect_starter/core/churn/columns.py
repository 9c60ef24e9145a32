"""Names and values of the churn table, for who needs no more: importing this takes no time."""

from __future__ import annotations

from collections.abc import Mapping

KEY = "customerID"
TARGET, POSITIVE = "Churn", "Yes"
NO_PHONE, NO_INTERNET = "No phone service", "No internet service"
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

NAMES = (
    *(KEY, "gender", "SeniorCitizen", "Partner", "Dependents", "tenure"),
    *("PhoneService", "MultipleLines", "InternetService", *INTERNET_SERVICES),
    *("Contract", "PaperlessBilling", "PaymentMethod", "MonthlyCharges", "TotalCharges"),
    TARGET,
)
"""Every column, in the published order."""

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
