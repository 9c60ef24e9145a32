"""The date that a run is about: ``{date}`` in a configuration's texts.

A source that is published by the day is configured once, its address and its ``source_id`` with
``{date}`` (2013-01-31) or with a format of its own, such as ``{date:%Y/%m}``, in them.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, TypeVar

from airnub_prefect_starter.core.configuration import ConfigModel

Config = TypeVar("Config", bound=ConfigModel)

_DATE = re.compile(r"\{date(?::(?P<format>[^{}]+))?\}")


def for_date(config: Config, date: dt.date) -> Config:
    """Give the configuration with every ``{date}`` in it resolved."""
    return type(config).model_validate(_resolved(config.model_dump(mode="json"), date))


def _resolved(value: Any, date: dt.date) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(each, date) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, date) for each in value]
    if isinstance(value, str):
        return _DATE.sub(lambda found: date.strftime(found["format"] or "%Y-%m-%d"), value)
    return value
