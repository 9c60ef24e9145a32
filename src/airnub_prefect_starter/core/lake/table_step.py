"""What every step that writes a table of the lake has in common; imports in no time."""

from __future__ import annotations

from typing import Literal

from airnub_prefect_starter.core.configuration import ConfigModel

Writers = Literal["single", "many"]


class TableStep(ConfigModel):
    """A step that writes one table, which it names by ``table``: ``silver/flights``."""


def limit_of(table: str) -> str:
    """Name a table's limit in its department's file: ``silver/flights`` → ``silver_flights``."""
    return table.replace("/", "_").replace("-", "_")
