"""The date that a run is about: ``{date}`` in a configuration's texts.

A source that is published by the day is configured once, its address and its ``source_id`` with
``{date}`` (2013-01-31) or with a format of its own, such as ``{date:%Y/%m}``, in them. The types
here are those of the fields that may hold it and in which other braces are a mistake.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import NAME_PATTERN

Config = TypeVar("Config", bound=ConfigModel)

# Digits alone, of one width: what a locale or a platform writes differently would move a ref.
_FIELDS = "YymdjGVu"
_DATE = re.compile(rf"(?<!\$)\{{date(?::(?P<format>(?:%[{_FIELDS}]|[^{{}}%])+))?\}}")
_ADDRESS = re.compile(r"\$\{\w+\}")  # left for the settings
_NAME = re.compile(NAME_PATTERN)
# Years that begin and end in each other's weeks, a leap year among them.
_DAYS = range(dt.date(2008, 1, 1).toordinal(), dt.date(2011, 1, 1).toordinal())


def for_date(config: Config, date: dt.date) -> Config:
    """Give the configuration with every ``{date}`` in it resolved; itself if there is none."""
    if "{date" not in config.model_dump_json():
        return config
    return type(config).model_validate(_resolved(config.model_dump(mode="json"), date))


def date_before(due: dt.datetime) -> dt.date:
    """Give the last whole day (UTC) before a run was due: what a daily run is about."""
    return due.astimezone(dt.UTC).date() - dt.timedelta(days=1)


def on_date(text: str, date: dt.date) -> str:
    """Give a text with every ``{date}`` in it resolved."""
    return _DATE.sub(
        lambda found: date.strftime(found["format"]) if found["format"] else date.isoformat(), text
    )


def is_dated(text: str) -> bool:
    """Tell whether a text has a ``{date}`` in it."""
    return _DATE.search(text) is not None


def check_dated(source_id: str, address: Iterable[str]) -> None:
    """Refuse a source whose bytes of one date would take the place of another date's.

    Args:
        source_id: What it is stored as.
        address: The texts that say where it is: an address and its parameters, a query.

    Raises:
        ValueError: They are, or only one of the two has a ``{date}``.
    """
    name, where = _formats([source_id]), _formats(address)
    if bool(name) != bool(where):
        with_it, without = ("its address", "source_id") if where else ("source_id", "its address")
        raise ValueError(f"{with_it} has a {{date}} and {without} has none: use it in both")
    if not _kept_apart(name, where):
        raise ValueError(
            "source_id is the same on dates whose addresses differ: "
            "use {date}, or as fine a format as in the address"
        )


def _formats(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(
        found["format"] or "%Y-%m-%d" for text in texts for found in _DATE.finditer(text)
    )


@cache
def _kept_apart(name: frozenset[str], address: frozenset[str]) -> bool:
    """Tell whether days of one name have one address; other text of the two makes no difference."""
    addresses: dict[tuple[str, ...], tuple[str, ...]] = {}
    return all(
        addresses.setdefault(_written(name, day), where) == where
        for day in map(dt.date.fromordinal, _DAYS)
        for where in [_written(address, day)]
    )


def _written(formats: Iterable[str], day: dt.date) -> tuple[str, ...]:
    return tuple(map(day.strftime, formats))


def check_braces(text: str) -> str:
    """Return a text in which braces stand for a date alone.

    Raises:
        ValueError: They stand for something else.
    """
    rest = _DATE.sub("", _ADDRESS.sub("", text))
    if found := re.search(r"\{[^}]*\}?|\}", rest):
        fields = " ".join(f"%{each}" for each in _FIELDS)
        raise ValueError(
            f"{found[0]} stands for nothing. Known: {{date}}, and {{date:FORMAT}} with {fields}; "
            "in an address write other braces as %7B and %7D"
        )
    return text


def sample(text: str) -> str:
    """Give a text as it is on some date, to check what it has to look like."""
    return on_date(text, dt.date.fromordinal(_DAYS[0]))


def _dated_name(text: str) -> str:
    if not _NAME.fullmatch(sample(text)):
        raise ValueError(f"should match pattern '{NAME_PATTERN}', but for a {{date}}")
    return text


DatedText = Annotated[str, AfterValidator(check_braces)]
DatedName = Annotated[DatedText, AfterValidator(_dated_name)]


def _resolved(value: Any, date: dt.date) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(each, date) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, date) for each in value]
    return on_date(value, date) if isinstance(value, str) else value
