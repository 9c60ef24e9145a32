"""``airnub store``: put and get stored bytes, list, verify, collect, copy."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from airnub_prefect_starter.cli import maintenance
from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import (
    JsonOption,
    human_bytes,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.common.utils import CHUNK_BYTES, sanitize_filename
from airnub_prefect_starter.core.configuration import validate_value
from airnub_prefect_starter.core.derivation import split_ref
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.manifest_models import (
    DIGEST_PATTERN,
    DerivedManifest,
    Descriptor,
    FetchManifest,
    Ref,
)
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import Store

app = typer.Typer(no_args_is_help=True, help="Put, get, list, verify and collect stored bytes.")

Kind = Literal["refs", "manifests", "pins", "runs"]
TargetArgument = Annotated[
    str, typer.Argument(help="A blob's digest, or NAMESPACE/SOURCE.", metavar="DIGEST|REF")
]


@app.command()
def put(
    what: Annotated[str, typer.Argument(help="A URL, a file, or - for standard input.")],
    namespace: Annotated[str, typer.Option(help="Namespace of the ref, for a URL.")] = "manual",
    source_id: Annotated[
        str | None, typer.Option("--id", help="Name of the ref, for a URL.")
    ] = None,
    expect: Annotated[str | None, typer.Option(help="The only digest that is accepted.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Largest body, in bytes.", min=1)] = None,
    allow_network: Annotated[
        list[str] | None, typer.Option(help="A private network that may be reached.")
    ] = None,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store a file's bytes, or fetch a URL and store its bytes, manifest and ref.

    Example: airnub store put https://example.com/a.csv --id a-csv -d project_alpha
    """
    store = chosen_store(department, url)
    if "://" in what:
        if source_id is None:
            raise ConfigError("A URL needs a name in the store", "Add --id, such as --id airports")
        given = {
            "source_id": source_id,
            "url": what,
            "expected_digest": expect,
            "access": {"allow_networks": allow_network or []},
            "limits": {"max_bytes": max_bytes} if max_bytes else {},
        }
        source = validate_value(given, FileSource, "arguments", remedy="Correct the arguments")
        result = core_download_hash_store_and_manifest(store, source, namespace=namespace)
        _show_put(result.blob, result.outcome, as_json=as_json)
        return
    descriptor, outcome = _put_file(store, what, expect)
    _show_put(descriptor, outcome, as_json=as_json)


def _put_file(store: Store, what: str, expect: str | None) -> tuple[Descriptor, str]:
    with store.spool() as spool:
        if what == "-":
            shutil.copyfileobj(sys.stdin.buffer, spool, CHUNK_BYTES)
        else:
            path = Path(what)
            if not path.is_file():
                raise ConfigError(f"{what}: no such file", "Give a file, a URL, or -")
            with path.open("rb") as stream:
                shutil.copyfileobj(stream, spool, CHUNK_BYTES)
        return store.put_blob(spool, expected=expect)


def _show_put(descriptor: Descriptor, outcome: str, *, as_json: bool) -> None:
    if as_json:
        show_json({**descriptor.model_dump(), "outcome": outcome})
    else:
        say(f"{outcome}  {descriptor.digest}  {human_bytes(descriptor.size)}")


@app.command()
def get(
    target: TargetArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; - for standard output.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder for every output of the ref.")] = None,
    link: Annotated[
        Literal["reflink", "hard", "copy"], typer.Option(help="How files are made.")
    ] = "reflink",
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get stored bytes, verified before the file has its name.

    Example: airnub store get ingestion.scheduled_file_downloads/airlines -o airlines.csv
    """
    store = chosen_store(department, url)
    blobs = _named_blobs(store, target)
    if to is None and output is None:
        output = Path("-")
    if to is None and len(blobs) > 1:
        raise ConfigError(f"{target} has {len(blobs)} outputs", "Name a folder: --to DIR")
    if output == Path("-"):
        with store.open_blob(next(iter(blobs.values()))) as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer, CHUNK_BYTES)
        return
    written = {}
    for name, digest in blobs.items():
        path = to / name if to else output
        if path is None:
            raise ConfigError("No place to write to", "Add --output or --to")
        path.parent.mkdir(parents=True, exist_ok=True)
        store.export(digest, path, link=link)
        written[str(path)] = digest
    if as_json:
        show_json(written)
    else:
        for name, digest in written.items():
            say(f"{digest}  {name}")


def _named_blobs(store: Store, target: str) -> dict[str, str]:
    """Name the blobs that a digest or a ref stands for, by the file names they may have."""
    if re.match(DIGEST_PATTERN, target):
        return {target.removeprefix("sha256:"): target}
    manifest = _manifest_of(store, target)
    if isinstance(manifest, FetchManifest):
        name = manifest.source.filename or manifest.source_id
        return {sanitize_filename(name): manifest.blob.digest}
    return {_relative(output.name): output.blob.digest for output in manifest.outputs}


def _relative(name: str) -> str:
    return "/".join(sanitize_filename(part) for part in name.split("/"))


def _manifest_of(store: Store, target: str) -> FetchManifest | DerivedManifest:
    namespace, source_id = split_ref(target)
    ref = store.ref(namespace, source_id)
    if ref is None:
        raise ObjectNotFoundError(f"There is no ref {target}", "See `airnub store ls`")
    return store.manifest(ref.manifest.digest)


@app.command("ls")
def list_objects(
    kind: Annotated[Kind, typer.Argument(help="refs, manifests, pins or runs.")] = "refs",
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is in a store.

    Example: airnub store ls refs -d project_alpha
    """
    headings, rows = _LISTINGS[kind](chosen_store(department, url))
    if as_json:
        show_json([dict(zip(headings, row, strict=True)) for row in rows])
    else:
        show_table("", headings, rows)


_Listing = tuple[tuple[str, ...], list[tuple[object, ...]]]


def _list_refs(store: Store) -> _Listing:
    return ("ref", "bytes", "manifest", "updated"), [
        (f"{namespace}/{source_id}", _size(ref), ref.manifest.digest, rfc3339(ref.updated_at))
        for namespace, source_id, ref in store.refs()
    ]


def _size(ref: Ref) -> str:
    return human_bytes(ref.blob.size) if ref.blob else "derived"


def _list_manifests(store: Store) -> _Listing:
    return ("manifest", "kind", "ref"), [
        (
            descriptor.digest,
            "fetched" if isinstance(manifest, FetchManifest) else "derived",
            f"{manifest.namespace}/{manifest.source_id}",
        )
        for descriptor, manifest in store.manifests()
    ]


def _list_pins(store: Store) -> _Listing:
    return ("pin", "digest"), [(name, str(digest)) for name, digest in store.pins()]


def _list_runs(store: Store) -> _Listing:
    return ("run", "flow", "started", "sources", "derived", "failed"), [
        (
            report.run_id,
            report.flow,
            rfc3339(report.started_at),
            len(report.results),
            len(report.derived),
            len(report.failures),
        )
        for report in store.reports()
    ]


_LISTINGS = {
    "refs": _list_refs,
    "manifests": _list_manifests,
    "pins": _list_pins,
    "runs": _list_runs,
}


@app.command()
def show(
    target: Annotated[str, typer.Argument(help="A manifest's digest, or NAMESPACE/SOURCE.")],
    department: DepartmentOption = None,
    url: UrlOption = None,
) -> None:
    """Show a manifest as JSON.

    Example: airnub store show processing.flight_data/flights -d project_alpha
    """
    store = chosen_store(department, url)
    if re.match(DIGEST_PATTERN, target):
        show_json(store.manifest(target))
    else:
        show_json(_manifest_of(store, target))


@app.command()
def pin(
    name: Annotated[str, typer.Argument(help="Name of the pin.")],
    digest: Annotated[str, typer.Argument(help="A blob's or a manifest's digest.")],
    department: DepartmentOption = None,
    url: UrlOption = None,
) -> None:
    """Keep a blob, or a manifest and all that it refers to, from `gc`.

    Example: airnub store pin audit-2026 sha256:… -d project_alpha
    """
    chosen_store(department, url).pin(name, digest)
    say(f"pinned  {name}  {digest}")


@app.command()
def unpin(
    name: Annotated[str, typer.Argument(help="Name of the pin.")],
    department: DepartmentOption = None,
    url: UrlOption = None,
) -> None:
    """Remove a pin; `gc` may then collect what it kept.

    Example: airnub store unpin audit-2026 -d project_alpha
    """
    chosen_store(department, url).unpin(name)
    say(f"unpinned  {name}")


app.command()(maintenance.verify)
app.command()(maintenance.gc)
app.command()(maintenance.cp)
