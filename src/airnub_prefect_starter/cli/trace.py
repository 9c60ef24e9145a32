"""``airnub trace``: from bytes to where they came from and what became of them."""

from __future__ import annotations

from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import JsonOption, say, show_json
from airnub_prefect_starter.core.lineage import render_trace
from airnub_prefect_starter.core.lineage import trace as trace_target


def trace(
    target: Annotated[
        str, typer.Argument(help="A digest (8 hex digits are enough), NAMESPACE/SOURCE, or run id.")
    ],
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what bytes were made of and what was made of them, up to the run that did it.

    Example: airnub trace processing.flight_data/flights -d project_alpha
    """
    found = trace_target(chosen_store(department, url), target)
    if as_json:
        show_json(found)
    else:
        say(render_trace(found))
