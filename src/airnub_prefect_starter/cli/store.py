"""``airnub store``: put and get stored bytes, show, pin, list, verify, collect, copy, examine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from airnub_prefect_starter.cli import listings, maintenance, put, store_doctor
from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import JsonOption, patience, say, show_json
from airnub_prefect_starter.cli.targets import find_blobs, find_digest, find_manifest
from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.common.utils import CHUNK_BYTES
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.export import Link

app = typer.Typer(no_args_is_help=True, help="Put, get, list, verify and collect stored bytes.")

_STANDARD = Path("-")

app.command()(put.put)


@app.command()
def get(
    target: Annotated[
        str,
        typer.Argument(
            help="A digest (8 hex digits are enough), or NAMESPACE/SOURCE.", metavar="DIGEST|REF"
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; - for standard output, the default."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder for every output of the ref.")] = None,
    link: Annotated[Link, typer.Option(help="How files are made.")] = "reflink",
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get stored bytes, verified before the file has its name.

    On standard output they are verified on the way: believe them when the exit code is 0.

    Example: airnub store get ingestion.scheduled_file_downloads/airlines -o airlines.csv
    """
    _check_destination(output, to, as_json=as_json)
    store = chosen_store(department, url)
    blobs = find_blobs(store, target)
    with patience(f"Getting {target}"):
        if to is not None:
            written = {to / name: digest for name, digest in blobs.items()}
        else:
            written = {output or _STANDARD: _only(blobs, target)}
        for path, digest in written.items():
            _write(store, digest, path, link)
    if as_json:
        show_json({str(path): digest for path, digest in written.items()})
    elif _STANDARD not in written:
        for path, digest in written.items():
            say(f"{digest}  {path}")


def _check_destination(output: Path | None, to: Path | None, *, as_json: bool) -> None:
    if output is not None and to is not None:
        raise ConfigError("--output and --to are both given", "Give one of them")
    if as_json and to is None and output in (None, _STANDARD):
        raise ConfigError(
            "JSON and the bytes would mix on standard output", "Add --output FILE or --to FOLDER"
        )
    folder = to or (output.parent if output else Path())
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ConfigError(f"{existing} is not a folder", "Choose another place to write to")


def _only(blobs: dict[str, str], target: str) -> str:
    if len(blobs) > 1:
        raise ConfigError(f"{target} has {len(blobs)} outputs", "Name a folder: --to FOLDER")
    for digest in blobs.values():
        return digest
    raise ObjectNotFoundError(f"{target} has no outputs", "See `airnub store show`")


def _write(store: Store, digest: str, path: Path, link: Link) -> None:
    if path != _STANDARD:
        store.export(digest, path, link=link)
        return
    with store.open_blob(digest) as stream:
        shutil.copyfileobj(stream, sys.stdout.buffer, CHUNK_BYTES)
    sys.stdout.flush()


app.command("ls")(listings.list_objects)


@app.command()
def show(
    target: Annotated[
        str,
        typer.Argument(
            help="A manifest's digest (8 hex digits are enough), or NAMESPACE/SOURCE.",
            metavar="DIGEST|REF",
        ),
    ],
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,  # noqa: ARG001 - it always is; accepted so that scripts need not know
) -> None:
    """Show a manifest, which is JSON.

    Example: airnub store show processing.flight_data/flights -d project_alpha
    """
    show_json(find_manifest(chosen_store(department, url), target))


@app.command()
def pin(
    name: Annotated[str, typer.Argument(help="Name of the pin.")],
    digest: Annotated[
        str, typer.Argument(help="A blob's or manifest's digest (8 hex digits are enough).")
    ],
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a blob, or a manifest and all that it refers to, from `gc`.

    Example: airnub store pin audit-2026 sha256:… -d project_alpha
    """
    store = chosen_store(department, url)
    found = find_digest(store, digest)
    store.pin(name, found)
    if as_json:
        show_json({"pin": name, "digest": found})
    else:
        say(f"pinned  {name}  {found}")


@app.command()
def unpin(
    name: Annotated[str, typer.Argument(help="Name of the pin.")],
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a pin; `gc` may then collect what it kept.

    Example: airnub store unpin audit-2026 -d project_alpha
    """
    chosen_store(department, url).unpin(name)
    if as_json:
        show_json({"unpinned": name})
    else:
        say(f"unpinned  {name}")


app.command()(maintenance.verify)
app.command()(maintenance.gc)
app.command()(maintenance.cp)
app.command()(store_doctor.doctor)
