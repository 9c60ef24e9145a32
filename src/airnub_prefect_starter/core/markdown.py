"""Markdown out of untrusted text: escaping, tables, images. No HTML is ever passed through."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.utils import human_bytes

if TYPE_CHECKING:
    # Half a second of every run that fetches and shows no frame.
    import pandas as pd

MAX_CELL_CHARACTERS = 300
MAX_TABLE_ROWS = 50
MAX_IMAGE_BYTES = 200_000

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def escape_markdown(text: str) -> str:
    """Make text show as itself on one line, in a table cell too, whatever it contains.

    Control and direction-changing characters are dropped, white space is joined, and what is longer
    than 300 characters is cut.
    """
    visible = "".join(
        char for char in " ".join(text.split()) if unicodedata.category(char) not in {"Cc", "Cf"}
    )
    if len(visible) > MAX_CELL_CHARACTERS:
        visible = f"{visible[: MAX_CELL_CHARACTERS - 1]}…"
    return html.escape(_SPECIAL.sub(r"\\\1", visible), quote=False)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table; the cells are Markdown already, so untrusted ones must be escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def frame_table(frame: pd.DataFrame) -> str:
    """Lay out a small frame as a table: its first 50 rows, numbers with separators."""
    header = [escape_markdown(str(name)) for name in frame.columns]
    head = frame.head(MAX_TABLE_ROWS)
    # As objects, since a column of floats cannot hold None.
    shown = head.astype(object).mask(head.isna(), None).itertuples(index=False, name=None)
    table = markdown_table(header, ([_cell(value) for value in row] for row in shown))
    left_out = len(frame) - MAX_TABLE_ROWS
    return f"{table}\n\n… and {left_out:,} rows more" if left_out > 0 else table


def image(title: str, png: bytes) -> str:
    """Embed a PNG as a data URI, or say that it is too large for Prefect's table of artifacts."""
    encoded = base64.b64encode(png).decode()
    if len(encoded) > MAX_IMAGE_BYTES:
        return f"*{escape_markdown(title)}: {human_bytes(len(png))}, too large to show here*"
    return f"![{escape_markdown(title)}](data:image/png;base64,{encoded})"


def short_digest(digest: str) -> str:
    """Show the first 12 hexadecimal digits of a digest, enough for ``airnub trace``."""
    return f"`{digest.removeprefix('sha256:')[:12]}`"


def artifact_key(*parts: str) -> str:
    """Make a key that Prefect allows (``a-z``, ``0-9`` and dashes) from names.

    Raises:
        ConfigError: No letter or digit is left. No retry.
    """
    words = [word for part in parts for word in re.findall(r"[a-z0-9]+", part.lower())]
    if not words:
        raise ConfigError(f"No artifact key can be made of {parts!r}", "Use letters and digits")
    return "-".join(words)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    # numpy's integers are Integral but no int; a bool is both.
    if not isinstance(value, bool) and isinstance(value, Integral):
        return f"{int(value):,}"
    return escape_markdown(str(value))
