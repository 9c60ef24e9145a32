"""JSON that a stranger wrote: parsed with limits, and written in one way."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from airnub_prefect_starter.common.errors import PayloadError, TooLargeError

MAX_DEPTH = 100

# An unfinished string reaches to the end: so every match succeeds and the time stays linear.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")


def parse_json(raw: bytes, what: str) -> Any:
    """Parse a JSON document.

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
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg.lower()}"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not {error.encoding}"
    except ValueError as error:  # a number of thousands of digits, or NaN
        reason = str(error).partition(";")[0].lower()
    raise PayloadError(f"{what} is not valid JSON: {reason}", "Open the address and look")


def canonical_line(item: Any, what: str) -> bytes:
    """Write an item as one line, the same for equal items: sorted keys, no spaces, UTF-8.

    Floats are written as Python does, in the fewest digits that read back as the same double.

    Raises:
        PayloadError: It holds what JSON or UTF-8 cannot express: 1e999, half a surrogate pair.
            No retry.
    """
    try:
        line = json.dumps(
            item, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return line.encode() + b"\n"
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
    for _ in range(MAX_DEPTH):  # each round removes at least the innermost level
        shorter = brackets.replace("[]", "").replace("{}", "")
        if shorter == brackets:
            break
        brackets = shorter
    else:
        if brackets:
            raise _too_deep(what)
    if brackets.count("[") + brackets.count("{") > MAX_DEPTH:
        raise _too_deep(what)


def _too_deep(what: str) -> TooLargeError:
    return TooLargeError(
        f"{what} nests deeper than {MAX_DEPTH} levels", "Ask the owner of the source"
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
