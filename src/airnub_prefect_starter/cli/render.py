"""``airnub render``: the files that are generated from the departments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import settings_and_catalog
from airnub_prefect_starter.cli.output import JsonOption, say, show_json
from airnub_prefect_starter.common.errors import ConfigError, DifferencesError
from airnub_prefect_starter.control.render import render_files, stale_files


def render(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 4 if a file is stale.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what Prefect, the Helm chart and GitHub read of configs/departments/.

    prefect.local.yaml and prefect.k8s.yaml, the chart's departments, and CODEOWNERS.

    Example: airnub render --check
    """
    settings, catalog = settings_and_catalog()
    wanted = render_files(catalog)
    stale = stale_files(wanted, settings.project_root)
    if check and stale:
        raise DifferencesError(f"Stale: {', '.join(map(str, stale))}", "Run `airnub render`")
    for path, text in stale.items():
        _write(settings.project_root / path, text)
    if as_json:
        show_json({"files": [str(path) for path in wanted], "written": [str(p) for p in stale]})
        return
    for path in wanted:
        say(f"{'written' if path in stale else 'unchanged'}  {path}")


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}", "Check its folder and permissions"
        ) from error
