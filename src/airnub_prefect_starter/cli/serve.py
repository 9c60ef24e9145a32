"""``airnub serve``: a department's model over HTTP."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import opened_store, settings_and_catalog
from airnub_prefect_starter.cli.output import JsonOption, say, show_json
from airnub_prefect_starter.core.store import department_url


def serve(
    department: Annotated[str, typer.Argument(metavar="DEPT", help="Whose model to serve.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    model: Annotated[
        str | None, typer.Option(help="Name in the registry; the department's by default.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="A version to keep to, instead of the champion.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Address of a store, instead of the department's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer requests for scores until interrupted; another champion is taken up by itself.

    Example: airnub serve customer_churn --port 8000
    """
    settings, catalog = settings_and_catalog()
    address = store or department_url(settings.store_url, catalog.department(department).name.id)
    opened = opened_store(settings, address, create=False)
    # The libraries of models and of the server take seconds to import: who mistypes waits for none.
    from airnub_prefect_starter.serving import server
    from airnub_prefect_starter.serving.current import CurrentModel

    current = CurrentModel(opened, model or department, version)
    found = current.get().version

    def ready(url: str) -> None:
        if as_json:
            show_json({"url": url, "model": found.name, "version": found.number})
            sys.stdout.flush()  # this process goes on
        else:
            line = f"Version {found.number} of {found.name} ({found.kind}) answers at {url}"
            say(f"{line}; see /docs")

    server.serve(current, host, port, ready=ready)
