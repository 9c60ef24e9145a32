"""Collections as JSON, in the four ways in which APIs give out pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from airnub_prefect_starter.demo.data import Cell, Row
from airnub_prefect_starter.demo.messages import HttpError, json_bytes

Query = Mapping[str, str]
_MAX_NUMBER = 10**9 - 1


@dataclass(frozen=True)
class Page:
    """The JSON value of one answer and the header fields that belong to it."""

    value: Mapping[str, object] | Sequence[Row]
    headers: Mapping[str, str] = field(default_factory=dict)


class Collection:
    """All items of one API and their version: the same for every page, so one 304 covers all."""

    def __init__(self, items: list[Row]) -> None:
        self.items = items
        self.version = hashlib.sha256(json_bytes(items)).hexdigest()


Paging = Callable[[list[Row], Query], Page]


def everything(items: list[Row], _query: Query) -> Page:
    """Give all items at once: ``{items, total}``."""
    return Page({"items": items, "total": len(items)})


def bare_list(items: list[Row], _query: Query) -> Page:
    """Give all items at once, as a list without an envelope."""
    return Page(items)


def by_page(items: list[Row], query: Query) -> Page:
    """Give page ``page`` (from 1) of ``per_page``; a page after the last is empty."""
    page = _number(query, "page", default=1, least=1)
    per_page = _number(query, "per_page", default=100, least=1, most=500)
    return Page(
        {
            "items": items[(page - 1) * per_page : page * per_page],
            "page": page,
            "pages": _page_count(items, per_page),
            "per_page": per_page,
            "total": len(items),
        }
    )


def by_offset(items: list[Row], query: Query) -> Page:
    """Give ``limit`` items from ``offset`` (from 0); past the end there are none."""
    offset = _number(query, "offset", default=0, least=0)
    limit = _number(query, "limit", default=500, least=1, most=1000)
    chosen = items[offset : offset + limit]
    return Page({"items": chosen, "limit": limit, "offset": offset, "total": len(items)})


def by_cursor(items: list[Row], query: Query) -> Page:
    """Give ``limit`` items after ``cursor``, of one ``origin`` or all; the last cursor is null."""
    chosen = _of_origin(items, query.get("origin"))
    start = _decode_cursor(query["cursor"]) if "cursor" in query else 0
    stop = start + _number(query, "limit", default=1000, least=1, most=2000)
    following = _encode_cursor(stop) if stop < len(chosen) else None
    value = {"items": chosen[start:stop], "next_cursor": following, "total": len(chosen)}
    return Page(value)


def by_link(items: list[Row], query: Query) -> Page:
    """Give a bare list; where it goes on stands in the Link header (RFC 8288), relative."""
    page = _number(query, "page", default=1, least=1)
    per_page = _number(query, "per_page", default=1000, least=1, most=2000)
    last = _page_count(items, per_page)
    relations = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    links = ", ".join(
        f'<?page={number}&per_page={per_page}>; rel="{name}"'
        for name, number in relations.items()
        if 1 <= number <= last
    )
    headers = {"Link": links, "X-Total-Count": str(len(items))}
    return Page(items[(page - 1) * per_page : page * per_page], headers)


def _page_count(items: list[Row], per_page: int) -> int:
    return -(-len(items) // per_page)


def _number(query: Query, name: str, *, default: int, least: int, most: int = _MAX_NUMBER) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise HttpError(
            HTTPStatus.BAD_REQUEST, f"{name} must be a whole number from {least} to {most}"
        )
    return int(text)


def _of_origin(items: list[Row], origin: Cell) -> list[Row]:
    return items if origin is None else [row for row in items if row["origin"] == origin]


def _encode_cursor(start: int) -> str:
    return base64.urlsafe_b64encode(f"after:{start}".encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> int:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        word, _, number = base64.urlsafe_b64decode(padded).decode("ascii").partition(":")
        start = int(number)
    except (ValueError, binascii.Error) as error:
        raise _unknown_cursor() from error
    if word != "after" or start < 0 or _encode_cursor(start) != cursor:
        raise _unknown_cursor()
    return start


def _unknown_cursor() -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, "cursor is not one that this API gave out")
