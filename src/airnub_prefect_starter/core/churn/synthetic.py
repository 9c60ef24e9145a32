"""A made-up churn table: the form and the rules of the real one, and about as much to learn.

Only the stream of `random.Random` is used, which Python promises to keep; how numbers become
choices is computed here. Powers and exponentials are the C library's, so that Python does not
promise every bit; a test pins the digest.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from random import Random

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

COUNT = 7043
SEED = 42

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST_TENURE = 72
_CONTRACTS = dict(zip(CONTRACTS, (0.55, 0.21, 0.24), strict=True))
_INTERNET = {"DSL": 0.34, "Fiber optic": 0.44, "No": 0.22}
# Of two-year contracts, those that begin with the next bill.
_NEW_SHARE = 0.006
# What a customer's odds to leave are made of, in log-odds.
_ODDS = -0.15
_ODDS_OF_MONTH = -0.034
_ODDS_OF: Mapping[tuple[str, str], float] = {
    ("Contract", "One year"): -0.9,
    ("Contract", "Two year"): -1.9,
    ("InternetService", "Fiber optic"): 1.0,
    ("InternetService", "No"): -0.9,
    ("PaymentMethod", "Electronic check"): 0.45,
    ("PaperlessBilling", "Yes"): 0.35,
    ("SeniorCitizen", "1"): 0.25,
    ("OnlineSecurity", "Yes"): -0.4,
    ("TechSupport", "Yes"): -0.4,
}
_PRICES = {"StreamingTV": 10, "StreamingMovies": 10}
_PRICE_OF_SERVICE, _PRICE_OF_PHONE, _PRICE_OF_LINES = 5, 20, 5
_PRICE_OF_INTERNET = {"DSL": 25, "Fiber optic": 50, "No": 0}


def customers_csv(count: int = COUNT, seed: int = SEED) -> bytes:
    """Make the table as CSV with a header."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, NAMES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(customers(count, seed))
    return sink.getvalue().encode()


def customers(count: int = COUNT, seed: int = SEED) -> list[dict[str, str]]:
    """Make so many customers, all values as text, no two with one ``customerID``."""
    random = Random(seed)  # noqa: S311 - sample data, not a secret
    found: dict[str, dict[str, str]] = {}
    while len(found) < count:
        key = _key(random)
        customer = {KEY: key, **_person(random), **_contract(random), **_services(random)}
        customer |= _charges(random, customer)
        customer[TARGET] = _flag(random, _chance_to_leave(customer))
        found.setdefault(key, customer)
    return list(found.values())


def _key(random: Random) -> str:
    letters = "".join(_LETTERS[int(random.random() * len(_LETTERS))] for _ in range(5))
    return f"{int(random.random() * 10_000):04}-{letters}"


def _person(random: Random) -> dict[str, str]:
    partner = _flag(random, 0.48)
    return {
        "gender": "Female" if random.random() < 0.5 else "Male",
        "SeniorCitizen": str(int(random.random() < 0.16)),
        "Partner": partner,
        "Dependents": _flag(random, 0.52 if partner == "Yes" else 0.09),
    }


def _contract(random: Random) -> dict[str, str]:
    contract = _pick(random, _CONTRACTS)
    return {
        "Contract": contract,
        "tenure": str(_tenure(random, contract)),
        "PaperlessBilling": _flag(random, 0.66 if contract == "Month-to-month" else 0.5),
        "PaymentMethod": _payment(random, contract),
    }


def _payment(random: Random, contract: str) -> str:
    electronic = 0.48 if contract == "Month-to-month" else 0.15
    rest = (1 - electronic) / 3
    return _pick(random, dict(zip(PAYMENT_METHODS, (electronic, rest, rest, rest), strict=True)))


def _tenure(random: Random, contract: str) -> int:
    """Draw months: few of those who may leave each month, many of two years and two years more."""
    share = random.random()
    if contract == "Month-to-month":
        return 1 + int((_LONGEST_TENURE - 1) * share**2.4)
    if contract == "One year":
        return 1 + int((_LONGEST_TENURE - 1) * (share + random.random()) / 2 + 5) % _LONGEST_TENURE
    return 0 if random.random() < _NEW_SHARE else _LONGEST_TENURE - int(60 * share**2.4)


def _services(random: Random) -> dict[str, str]:
    internet = _pick(random, _INTERNET)
    # Who has no internet has a telephone: nobody buys nothing.
    phone = "Yes" if internet != "DSL" else _flag(random, 0.72)
    return {
        "PhoneService": phone,
        "MultipleLines": _flag(random, 0.47) if phone == "Yes" else NO_PHONE,
        "InternetService": internet,
        **{
            name: NO_INTERNET if internet == "No" else _flag(random, 0.42)
            for name in INTERNET_SERVICES
        },
    }


def _charges(random: Random, customer: Mapping[str, str]) -> dict[str, str]:
    price = _PRICE_OF_INTERNET[customer["InternetService"]]
    price += _PRICE_OF_PHONE * (customer["PhoneService"] == "Yes")
    price += _PRICE_OF_LINES * (customer["MultipleLines"] == "Yes")
    price += sum(
        _PRICES.get(name, _PRICE_OF_SERVICE)
        for name in INTERNET_SERVICES
        if customer[name] == "Yes"
    )
    # In cents, so that a bill of one month is to the cent what a month costs.
    monthly = 100 * price + int((random.random() - 0.5) * 300)
    months = int(customer["tenure"])
    changed = 1 if months == 1 else 1 + (random.random() - 0.5) * 0.2
    total = _money(round(monthly * months * changed))
    return {"MonthlyCharges": _money(monthly), "TotalCharges": total if months else BLANK}


def _money(cents: int) -> str:
    text = f"{cents // 100}.{cents % 100:02}"
    return text.rstrip("0").rstrip(".")


def _chance_to_leave(customer: Mapping[str, str]) -> float:
    odds = _ODDS + _ODDS_OF_MONTH * int(customer["tenure"])
    odds += sum(weight for (name, value), weight in _ODDS_OF.items() if customer[name] == value)
    return 1 / (1 + math.exp(-odds))


def _flag(random: Random, chance: float) -> str:
    return "Yes" if random.random() < chance else "No"


def _pick(random: Random, chances: Mapping[str, float]) -> str:
    """Choose by chances that add up to 1; what rounding leaves over goes to the last."""
    left = random.random()
    for value, chance in chances.items():
        left -= chance
        if left < 0:
            return value
    return value
