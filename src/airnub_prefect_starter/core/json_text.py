"""JSON that a stranger wrote: parsed with limits, and written in one way."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from json.encoder import encode_basestring
from typing import Any, NoReturn, Self

from airnub_prefect_starter.common.errors import PayloadError, TooLargeError

MAX_DEPTH = 100

# An unfinished string reaches to the end: so every match succeeds and the time stays linear.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_DEPTH_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_SCALARS = json.JSONEncoder(allow_nan=False)


class JsonFloat(float):
    """A float that knows how it was written: a double holds neither 17 digits nor ``1.10``."""

    def __new__(cls, text: str) -> Self:
        """Parse the text of a JSON number."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


def parse_json(raw: bytes, what: str) -> Any:
    """Parse a JSON document; its floats are `JsonFloat`.

    Args:
        raw: UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
        what: How messages call it.

    Raises:
        TooLargeError: It nests deeper than 100 levels; found before anything recurses. No retry.
        PayloadError: It is not JSON; the message gives line and column. No retry.
    """
    try:
        text = raw.decode(json.detect_encoding(raw))
        _check_depth(text, what)
        return json.loads(text, parse_float=JsonFloat, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg.lower()}"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not {error.encoding}"
    except ValueError as error:  # a number of thousands of digits, or NaN
        reason = str(error).partition(";")[0].lower()
    raise PayloadError(f"{what} is not valid JSON: {reason}", "Open the address and look")


def canonical_line(item: Any, what: str) -> bytes:
    """Write an item as one line: sorted keys, no spaces, UTF-8.

    Items that are equal and whose numbers are written alike have the same line: a `JsonFloat` keeps
    its text, another float has the fewest digits that read back as the same double.

    Raises:
        PayloadError: It holds what JSON or UTF-8 cannot express: 1e999, half a surrogate pair.
            No retry.
    """
    try:
        return _write(item).encode() + b"\n"
    except ValueError:
        raise PayloadError(
            f"{what} holds a number or character that cannot be written down",
            "Ask the owner of the source",
        ) from None


def lookup(value: Any, path: str, what: str) -> Any:
    """Find a value by a dotted path; the empty path is the value itself.

    Raises:
        PayloadError: There is none. No retry.
    """
    for name in path.split(".") if path else ():
        if not isinstance(value, dict) or name not in value:
            found = ", ".join(sorted(value)[:10]) if isinstance(value, dict) else "no object"
            raise PayloadError(
                f"{what} has no {path!r}; at {name!r} there is: {found}",
                "Correct the path in the source's configuration",
            )
        value = value[name]
    return value


def _check_depth(text: str, what: str) -> None:
    brackets = _NOT_BRACKETS.sub("", _STRING.sub("", text))
    depths = accumulate(map(_DEPTH_STEP.__getitem__, brackets))
    if max(depths, default=0) > MAX_DEPTH:
        raise TooLargeError(
            f"{what} nests deeper than {MAX_DEPTH} levels", "Ask the owner of the source"
        )


def _write(value: Any) -> str:
    # The library's own writer has no way to keep the text of a number.
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, JsonFloat) and math.isfinite(value):
        return value.text
    if isinstance(value, dict):
        members = [f"{encode_basestring(name)}:{_write(value[name])}" for name in sorted(value)]
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_write, value))}]"
    return _SCALARS.encode(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
