"""``airnub store put``: bytes from a file, standard input or a URL into a store."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import JsonOption, patience, say, show_json
from airnub_prefect_starter.common.errors import ConfigError, TooLargeError
from airnub_prefect_starter.common.utils import CHUNK_BYTES, human_bytes
from airnub_prefect_starter.core.configuration import validate_value
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import Spool, Store

DEFAULT_NAMESPACE = "manual"


def put(
    what: Annotated[str, typer.Argument(help="A URL, a file, or - for standard input.")],
    source_id: Annotated[
        str | None, typer.Option("--id", help="Name of the ref; a URL needs one.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help=f"Namespace of the ref, {DEFAULT_NAMESPACE} by default.")
    ] = None,
    media_type: Annotated[
        str | None, typer.Option(help="What the URL promises; an HTML page instead is refused.")
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option(help="For the whole download, in seconds.", min=0.1)
    ] = None,
    allow_network: Annotated[
        list[str] | None, typer.Option(help="A private network that may be reached.")
    ] = None,
    expect: Annotated[str | None, typer.Option(help="The only digest that is accepted.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Largest body, in bytes.", min=1)] = None,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store a file's bytes as a blob, or fetch a URL and store its bytes, manifest and ref.

    Example: airnub store put https://example.com/a.csv --id a-csv -d project_alpha
    """
    of_urls: dict[str, Any] = {
        "--id": source_id,
        "--namespace": namespace,
        "--media-type": media_type,
        "--timeout-s": timeout_s,
        "--allow-network": allow_network,
    }
    given = {option: value for option, value in of_urls.items() if value}
    if "://" in what:
        source = _source(what, given, expect, max_bytes)
        facts = _put_url(chosen_store(department, url, create=True), source, namespace)
    else:
        if given:
            raise ConfigError(
                f"{next(iter(given))} is for URLs; a file becomes a blob without a ref",
                "Leave it out",
            )
        facts = _put_file(chosen_store(department, url, create=True), what, expect, max_bytes)
    if as_json:
        show_json(facts)
    else:
        place = [facts["ref"]] if "ref" in facts else []
        say("  ".join([facts["outcome"], facts["digest"], human_bytes(facts["size"]), *place]))


def _source(
    address: str, given: Mapping[str, Any], expect: str | None, max_bytes: int | None
) -> FileSource:
    if "--id" not in given:
        raise ConfigError("A URL needs a name in the store", "Add --id, such as --id airports")
    limits = {"max_bytes": max_bytes, "total_timeout_s": given.get("--timeout-s")}
    value = {
        "source_id": given["--id"],
        "url": address,
        "media_type": given.get("--media-type"),
        "expected_digest": expect,
        "access": {"allow_networks": given.get("--allow-network", [])},
        "limits": {name: limit for name, limit in limits.items() if limit},
    }
    return validate_value(value, FileSource, "arguments", remedy="Correct the arguments")


def _put_url(store: Store, source: FileSource, namespace: str | None) -> dict[str, Any]:
    with patience(f"Fetching {source.source_id}"):
        result = core_download_hash_store_and_manifest(
            store, source, namespace=namespace or DEFAULT_NAMESPACE
        )
    return {
        **result.blob.model_dump(),
        "outcome": result.outcome,
        "ref": f"{result.namespace}/{result.source_id}",
        "manifest": result.manifest,
        "bytes_in": result.bytes_in,
        "attempts": result.attempts,
    }


def _put_file(store: Store, what: str, expect: str | None, max_bytes: int | None) -> dict[str, Any]:
    with patience(f"Storing {what}"), _opened(what) as stream, store.spool() as spool:
        _copy(stream, spool, what, max_bytes)
        descriptor, outcome = store.put_blob(spool, expected=expect)
    return {**descriptor.model_dump(), "outcome": outcome}


@contextmanager
def _opened(what: str) -> Iterator[BinaryIO]:
    if what == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(what).open("rb") as stream:
            yield stream
    except OSError as error:
        raise ConfigError(
            f"{what}: {error.strerror}", "Give a file that can be read, a URL, or -"
        ) from error


def _copy(stream: BinaryIO, spool: Spool, what: str, max_bytes: int | None) -> None:
    while chunk := stream.read(CHUNK_BYTES):
        if max_bytes is not None and spool.size + len(chunk) > max_bytes:
            raise TooLargeError(
                f"{what} is larger than {max_bytes:,} bytes", "Raise --max-bytes if it may be"
            )
        spool.write(chunk)
