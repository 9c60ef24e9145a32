"""``airnub render``: the files that are generated from the departments."""

from __future__ import annotations

from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import settings_and_catalog
from airnub_prefect_starter.cli.output import JsonOption, say, show_json
from airnub_prefect_starter.common.errors import DifferencesError
from airnub_prefect_starter.control.render import render_files


def render(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 4 if a file is stale.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write prefect.local.yaml and CODEOWNERS from configs/departments/.

    Example: airnub render --check
    """
    settings, catalog = settings_and_catalog()
    wanted = render_files(catalog)
    stale = [
        path
        for path, text in wanted.items()
        if not (settings.project_root / path).is_file()
        or (settings.project_root / path).read_text(encoding="utf-8") != text
    ]
    if check and stale:
        raise DifferencesError(f"Stale: {', '.join(map(str, stale))}", "Run `airnub render`")
    for path in stale:
        target = settings.project_root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(wanted[path], encoding="utf-8")
    if as_json:
        show_json({"files": [str(path) for path in wanted], "written": [str(p) for p in stale]})
        return
    for path in wanted:
        say(f"{'written' if path in stale else 'unchanged'}  {path}")
