"""Values of databases as JSON."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.database.sql_types import json_value, kind_of
from airnub_prefect_starter.core.json_text import canonical_line
from airnub_prefect_starter.core.manifest_models import ColumnKind

ZONE = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("boolean", True, "true"),
        ("boolean", 1, "true"),
        ("boolean", 7, "7"),
        ("integer", 2**70, "1180591620717411303424"),
        ("integer", "seven", '"seven"'),
        ("float", 0.1, "0.1"),
        ("float", 1.0, "1.0"),
        ("decimal", Decimal("1.10"), "1.1"),
        ("decimal", 1.1, "1.1"),
        ("decimal", Decimal("5.00"), "5"),
        ("decimal", 5, "5"),
        ("decimal", Decimal("1E+3"), "1000"),
        (
            "decimal",
            Decimal("0.1234567890123456789012345678901"),
            "0.1234567890123456789012345678901",
        ),
        ("text", "ä\n", '"ä\\n"'),
        ("date", dt.date(2013, 1, 31), '"2013-01-31"'),
        ("date", "2013-01-31", '"2013-01-31"'),
        ("date", "soon", '"soon"'),
        ("time", "05:00", '"05:00:00"'),
        ("timestamp", "2013-01-31 05:00:00", '"2013-01-31T05:00:00"'),
        ("timestamp", "2013-01-31T07:00:00+02:00", '"2013-01-31T05:00:00Z"'),
        ("timestamp", 1359608400, "1359608400"),
        ("timestamp", dt.datetime.fromisoformat("2013-01-31T05:00"), '"2013-01-31T05:00:00"'),
        (
            "timestamp_utc",
            dt.datetime(2013, 1, 31, 7, 0, 0, 25, ZONE),
            '"2013-01-31T05:00:00.000025Z"',
        ),
        ("bytes", b"\x00\xff", '"AP8="'),
        ("json", '{"b": 1.10, "a": null}', '{"a":null,"b":1.10}'),
        ("json", "{half", '"{half"'),
        ("uuid", uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ("untyped", 5, "5"),
        ("text", None, "null"),
    ],
)
def test_values_have_one_text(kind: ColumnKind, value: Any, text: str) -> None:
    assert canonical_line({"v": json_value(value, kind)}, "it").decode() == f'{{"v":{text}}}\n'


def test_what_has_no_text_is_refused() -> None:
    with pytest.raises(PayloadError, match="timedelta"):
        json_value(dt.timedelta(days=1), "untyped")


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (sa.BOOLEAN(), "boolean"),
        (sa.SMALLINT(), "integer"),
        (sa.DOUBLE(), "float"),
        (sa.NUMERIC(10, 2), "decimal"),
        (sa.VARCHAR(3), "text"),
        (postgresql.ENUM("a", name="letters"), "text"),
        (postgresql.DOMAIN("amount", sa.NUMERIC()), "decimal"),
        (postgresql.JSONB(), "json"),
        (postgresql.UUID(), "uuid"),
        (postgresql.BYTEA(), "bytes"),
        (postgresql.TIMESTAMP(timezone=True), "timestamp_utc"),
        (sa.TIMESTAMP(), "timestamp"),
        (sa.DATE(), "date"),
        (sa.TIME(), "time"),
        (postgresql.INTERVAL(), None),
        (postgresql.ARRAY(sa.INTEGER()), None),
        (postgresql.INET(), None),
        (sa.types.NullType(), None),
    ],
)
def test_kinds_of_columns(declared: TypeEngine[Any], kind: ColumnKind | None) -> None:
    assert kind_of(declared, untyped=False) == kind


def test_a_view_of_sqlite_may_have_columns_without_a_type() -> None:
    assert kind_of(sa.types.NullType(), untyped=True) == "untyped"
