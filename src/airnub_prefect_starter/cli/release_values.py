"""``airnub deploy values``: the chart's values of a deploy, for the workflow that runs Helm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import settings_and_catalog
from airnub_prefect_starter.cli.output import JsonOption, progress, show_json
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.release_images import (
    ReleaseValues,
    kept_images,
    parse_release_values,
    require_commit,
)


def values(
    image: Annotated[
        str, typer.Option(help="The flows image of this commit, which is its tag.", metavar="REF")
    ],
    previous: Annotated[
        Path | None,
        typer.Option(
            help="What `helm get values RELEASE --output json` printed; without it every "
            "department gets the new image."
        ),
    ] = None,
    as_json: JsonOption = False,  # noqa: ARG001 - it always is; accepted so that scripts need not know
) -> None:
    """Print the chart's values of a deploy: who gets the new image and who keeps the one it has.

    A department keeps its image while nothing that its runs execute has changed since the commit
    in that image's tag. A change of shared code, or of the chart, is one for all.

    Example: airnub deploy values --image ghcr.io/me/flows:$(git rev-parse HEAD) --previous v.json
    """
    settings, catalog = settings_and_catalog()
    require_commit(image)
    kept = kept_images(settings.project_root, catalog.entries, _values(previous))
    for department in catalog.entries:
        verb = "keeps" if department in kept else "gets"
        progress(f"{department} {verb} {kept.get(department, image)}")
    show_json(
        {
            "images": {"flows": {"ref": image}},
            "departments": {department: {"image": each} for department, each in kept.items()},
        }
    )


def _values(file: Path | None) -> ReleaseValues:
    if file is None:
        return ReleaseValues()
    try:
        text = file.read_text()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", "Name a file") from error
    return parse_release_values(text, str(file))
