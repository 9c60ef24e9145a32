"""``airnub store ls``: what is in a store, short in tables and in full as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import JsonOption, show_json, show_table
from airnub_prefect_starter.cli.targets import short
from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.lineage_graph import outputs_of
from airnub_prefect_starter.core.manifest_models import FetchManifest
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.layout import BLOBS, digest_of

Kind = Literal["refs", "manifests", "blobs", "pins", "runs"]
Facts = dict[str, Any]
_MAX_NAMES = 2


def list_objects(
    kind: Annotated[Kind, typer.Argument(help="refs, manifests, blobs, pins or runs.")] = "refs",
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is in a store; the short digests of the table do wherever a digest is asked for.

    Example: airnub store ls blobs -d project_alpha
    """
    listing = _LISTINGS[kind]
    facts = listing.facts(chosen_store(department, url))
    if as_json:
        show_json(list(facts))
    else:
        show_table("", listing.headings, (listing.row(each) for each in facts))


@dataclass(frozen=True)
class _Listing:
    """Reads facts of a kind of object, and makes a row of each."""

    headings: tuple[str, ...]
    facts: Callable[[Store], Iterator[Facts]]
    row: Callable[[Facts], tuple[object, ...]]


def _refs(store: Store) -> Iterator[Facts]:
    for namespace, source_id, ref in store.refs():
        yield {
            "ref": f"{namespace}/{source_id}",
            "kind": "fetched" if ref.blob else "derived",
            "size": ref.blob.size if ref.blob else None,
            "blob": ref.blob.digest if ref.blob else None,
            "manifest": ref.manifest.digest,
            "updated_at": rfc3339(ref.updated_at),
        }


def _ref_row(facts: Facts) -> tuple[object, ...]:
    size = "derived" if facts["size"] is None else human_bytes(facts["size"])
    return facts["ref"], size, short(facts["manifest"]), _minute(facts["updated_at"])


def _manifests(store: Store) -> Iterator[Facts]:
    for descriptor, manifest in store.manifests():
        fetched = isinstance(manifest, FetchManifest)
        yield {
            "manifest": descriptor.digest,
            "kind": "fetched" if fetched else "derived",
            "ref": f"{manifest.namespace}/{manifest.source_id}",
            "blobs": list(outputs_of(manifest)),
            "made_at": rfc3339(
                manifest.fetched_at if isinstance(manifest, FetchManifest) else manifest.created_at
            ),
        }


def _manifest_row(facts: Facts) -> tuple[object, ...]:
    return short(facts["manifest"]), facts["kind"], facts["ref"], _minute(facts["made_at"])


def _blobs(store: Store) -> Iterator[Facts]:
    names = defaultdict[str, set[str]](set)
    for _, manifest in store.manifests():
        for blob, name in outputs_of(manifest).items():
            names[blob].add(f"{manifest.namespace}/{manifest.source_id}: {name}")
    for stat in store.backend.list(BLOBS):
        digest = digest_of(stat.key).text
        yield {"blob": digest, "size": stat.size, "names": sorted(names[digest])}


def _blob_row(facts: Facts) -> tuple[object, ...]:
    names = facts["names"]
    more = [f"and {len(names) - _MAX_NAMES} more"] if len(names) > _MAX_NAMES else []
    shown = "\n".join([*names[:_MAX_NAMES], *more]) or "no manifest names it"
    return short(facts["blob"]), human_bytes(facts["size"]), shown


def _pins(store: Store) -> Iterator[Facts]:
    for name, digest in store.pins():
        yield {"pin": name, "digest": digest}


def _pin_row(facts: Facts) -> tuple[object, ...]:
    return facts["pin"], short(facts["digest"])


def _runs(store: Store) -> Iterator[Facts]:
    for report in store.reports():
        yield {
            "run": report.run_id,
            "flow": report.flow,
            "started_at": rfc3339(report.started_at),
            "finished_at": rfc3339(report.finished_at),
            "sources": len(report.results),
            "derived": len(report.derived),
            "failed": len(report.failures),
        }


def _run_row(facts: Facts) -> tuple[object, ...]:
    counts = (facts[name] for name in ("sources", "derived", "failed"))
    return facts["run"][:8], facts["flow"], _minute(facts["started_at"]), *counts


def _minute(moment: str) -> str:
    return f"{moment[:16]}Z"


_LISTINGS = {
    "refs": _Listing(("ref", "size", "manifest", "updated"), _refs, _ref_row),
    "manifests": _Listing(("manifest", "kind", "ref", "made"), _manifests, _manifest_row),
    "blobs": _Listing(("blob", "size", "what"), _blobs, _blob_row),
    "pins": _Listing(("pin", "digest"), _pins, _pin_row),
    "runs": _Listing(("run", "flow", "started", "sources", "derived", "failed"), _runs, _run_row),
}
