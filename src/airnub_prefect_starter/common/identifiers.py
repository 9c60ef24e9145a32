"""Identifiers: which texts may name a department, a stage, a category, and what they become.

An identifier is a folder, a module, a Kubernetes label and part of a namespace at once.
"""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Iterable

from airnub_prefect_starter.common.errors import ConfigError, UnknownNameError

MAX_IDENTIFIER = 40

IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_UPPER = frozenset({"api", "csv", "etl", "html", "id", "json", "ml", "s3", "sql", "url"})


def parse_identifier(text: str, what: str = "identifier") -> str:
    """Return ``text`` if it can name a folder, a module, a Kubernetes label and a namespace.

    Raises:
        ConfigError: It cannot; the message suggests the nearest form that can. No retry.
    """
    if len(text) > MAX_IDENTIFIER:
        raise ConfigError(
            f"{what} {text!r} has {len(text)} characters",
            f"Use at most {MAX_IDENTIFIER}",
        )
    if keyword.iskeyword(text):
        raise ConfigError(f"{what} {text!r} is a Python keyword", f"Use {text}_data, for example")
    if not IDENTIFIER.fullmatch(text):
        raise ConfigError(
            f"{what} {text!r} is not of the form a-z, 0-9 and single inner underscores",
            f"Use {suggest_identifier(text)!r}",
        )
    return text


def suggest_identifier(text: str) -> str:
    """Return the valid identifier nearest to any text: ``My-Dept 2`` becomes ``my_dept_2``."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    name = "_".join(words)[:MAX_IDENTIFIER].rstrip("_") or "name"
    if not name[0].isalpha():
        name = f"n{name}"[:MAX_IDENTIFIER].rstrip("_")
    return f"{name}_data" if keyword.iskeyword(name) else name


def nearest(text: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name most like ``text``, or None where nothing is close."""
    found = difflib.get_close_matches(text, list(allowed), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown(what: str, text: str, allowed: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not among the allowed ones, with the nearest that is."""
    names = sorted(allowed)
    hint = nearest(text, names)
    listed = ", ".join(names) or "none"
    return UnknownNameError(
        f"There is no {what} {text!r}",
        f"Did you mean {hint!r}? Known: {listed}" if hint else f"Known: {listed}",
    )


def kebab(identifier: str) -> str:
    """Give the form that Kubernetes and Prefect blocks ask for: ``a_b`` becomes ``a-b``."""
    return identifier.replace("_", "-")


def title(identifier: str) -> str:
    """Give the form for people: ``public_api_data`` becomes ``Public API Data``."""
    return " ".join(w.upper() if w in _UPPER else w.capitalize() for w in identifier.split("_"))
