"""Values of databases as canonical JSON: equal rows of SQLite and PostgreSQL have equal lines.

What is written follows from the value alone, once SQLite's has been read as what its column was
declared to be. A value that is something else stays what it is: SQLite lets any column hold any.
"""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeEngine

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.json_text import JsonFloat, parse_json
from airnub_prefect_starter.core.manifest_models import ColumnKind

NUMBERS = frozenset[ColumnKind]({"decimal", "float", "integer"})
GROWING = NUMBERS | {"date", "text", "timestamp", "timestamp_utc"}
"""Kinds that a watermark may have."""

# The first that fits counts: each boolean is an integer to some dialect, each enumeration a string.
_KINDS: tuple[tuple[type[TypeEngine[Any]], ColumnKind], ...] = (
    (types.Boolean, "boolean"),
    (types.Integer, "integer"),
    (types.Float, "float"),
    (types.Numeric, "decimal"),
    (types.JSON, "json"),
    (types.Uuid, "uuid"),
    (types.String, "text"),
    (types.Date, "date"),
    (types.Time, "time"),
    (types.LargeBinary, "bytes"),
)


def kind_of(declared: TypeEngine[Any], *, untyped: bool) -> ColumnKind | None:
    """Tell how values of a column are written; None if they cannot be.

    Args:
        declared: The column's type.
        untyped: Whether a column may have none, as the columns of a view in SQLite.
    """
    if isinstance(declared, DOMAIN):
        declared = declared.data_type
    if isinstance(declared, types.DateTime):
        return "timestamp_utc" if declared.timezone else "timestamp"
    if isinstance(declared, types.NullType):
        return "untyped" if untyped else None
    return next((kind for known, kind in _KINDS if isinstance(declared, known)), None)


def json_value(value: Any, kind: ColumnKind) -> Any:
    """Give a value of a column as what `canonical_line` writes.

    Bytes become Base64, times ISO 8601 (those with a zone in UTC), exact numbers as many digits as
    they need.

    Raises:
        PayloadError: It is of a type that cannot be written. No retry.
    """
    if value is None:
        return None
    if kind in _DECLARED:
        with suppress(ValueError):
            value = _DECLARED[kind](value)
    if kind == "json" or type(value) in _AS_THEY_ARE:
        return value
    write = _WRITERS.get(type(value))
    if write is None:
        raise PayloadError(f"a value of type {type(value).__name__} cannot be written as JSON")
    return write(value)


def _boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


def _decimal(value: Any) -> Any:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _parsed(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: parse(value) if isinstance(value, str) else value


def _number(value: Decimal) -> JsonFloat:
    text = format(value, "f")
    return JsonFloat(text.rstrip("0").rstrip(".") if "." in text else text)


def _moment(value: dt.datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_AS_THEY_ARE = frozenset({bool, float, int, str})
_DECLARED: Mapping[ColumnKind, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "date": _parsed(dt.date.fromisoformat),
    "decimal": _decimal,
    "json": _parsed(lambda text: parse_json(text.encode(), "a value")),
    "time": _parsed(dt.time.fromisoformat),
    "timestamp": _parsed(dt.datetime.fromisoformat),
}
_WRITERS: Mapping[type, Callable[[Any], Any]] = {
    Decimal: _number,
    bytes: _base64,
    dt.date: dt.date.isoformat,
    dt.datetime: _moment,
    dt.time: dt.time.isoformat,
    uuid.UUID: str,
}
