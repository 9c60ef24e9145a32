"""What a store's manifests, refs and run reports say about each other, read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import ObjectNotFoundError, UnknownNameError
from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.core.derivation import TABLE_DIGEST
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    FetchManifest,
    Manifest,
    RunReport,
    SourceFailure,
)
from airnub_prefect_starter.core.store import Store

MIN_PREFIX = 8
MAX_CANDIDATES = 10

Kind = Literal["source", "manifest", "blob", "table", "run", "ref"]


def _lists() -> defaultdict[str, list[str]]:
    return defaultdict(list)


@dataclass(frozen=True)
class Graph:
    """Manifests by digest and what points to what; all values of the lists are digests.

    Attributes:
        manifests: Every manifest.
        reports: Every run report by run id.
        refs: The manifest that a ref, as ``namespace/source_id``, points to.
        makers: Manifests by the blob that they fetched or put out.
        tables: Manifests by the digest of the table that they put out, however it is encoded.
        readers: Manifests by the manifest or blob that they took in.
        written: Manifests by the run that wrote or confirmed them.
        started: Runs by the run that started them.
    """

    manifests: Mapping[str, Manifest]
    reports: Mapping[str, RunReport]
    refs: Mapping[str, str]
    makers: defaultdict[str, list[str]] = field(default_factory=_lists)
    tables: defaultdict[str, list[str]] = field(default_factory=_lists)
    readers: defaultdict[str, list[str]] = field(default_factory=_lists)
    written: defaultdict[str, list[str]] = field(default_factory=_lists)
    started: defaultdict[str, list[str]] = field(default_factory=_lists)

    def label(self, kind: Kind, name: str) -> str:
        """Describe a thing in one line."""
        if kind == "run":
            report = self.reports.get(name)
            return f"{report.flow}, {rfc3339(report.started_at)}" if report else "no report"
        if kind == "blob":
            made_by = [self.manifests[digest] for digest in self.makers.get(name, [])]
            names = dict.fromkeys(outputs_of(manifest)[name] for manifest in made_by)
            return " = ".join(names) or "made outside this store"
        if kind == "table":
            return " = ".join(dict.fromkeys(_ref_of(self.manifests[d]) for d in self.tables[name]))
        digest = self.refs[name] if kind == "ref" else name
        manifest = self.manifests.get(digest)
        return _describe(manifest) if manifest else "no longer in the store"

    def runs_of(self, run_id: str) -> list[str]:
        """List a run and every run that it started, itself first."""
        found = [run_id]
        for each in found:
            found.extend(run for run in self.started.get(each, []) if run not in found)
        return found

    def failures_of(self, run_id: str) -> Iterator[SourceFailure]:
        """List what failed in a run and in every run that it started."""
        for each in self.runs_of(run_id):
            if each in self.reports:
                yield from self.reports[each].failures


def outputs_of(manifest: Manifest) -> dict[str, str]:
    """Give the blobs that a manifest made: digest to name."""
    if isinstance(manifest, FetchManifest):
        return {manifest.blob.digest: manifest.source.filename or manifest.source_id}
    return {output.blob.digest: output.name for output in manifest.outputs}


def read_graph(store: Store) -> Graph:
    """Read every manifest, ref and run report of a store.

    Raises:
        StoreError: One cannot be read or fails verification.
    """
    graph = Graph(
        manifests={descriptor.digest: manifest for descriptor, manifest in store.manifests()},
        reports={report.run_id: report for report in store.reports()},
        refs={f"{space}/{name}": ref.manifest.digest for space, name, ref in store.refs()},
    )
    for digest, manifest in graph.manifests.items():
        _link_manifest(graph, digest, manifest)
    for report in graph.reports.values():
        _link_report(graph, report)
    return graph


def resolve(graph: Graph, text: str) -> tuple[Kind, str]:
    """Find what a digest or its beginning, a ref, or a run id or its beginning names.

    Raises:
        ObjectNotFoundError: Nothing. No retry.
        UnknownNameError: More than one thing. No retry.
    """
    if "/" in text:
        return "ref", _known_ref(graph, text)
    beginning = text.lower().removeprefix("sha256:")
    if len(beginning) < MIN_PREFIX:
        raise UnknownNameError(
            f"{text!r} is too short to name anything", f"Give at least {MIN_PREFIX} characters"
        )
    found: list[tuple[Kind, str]] = [
        *_starting("manifest", graph.manifests, f"sha256:{beginning}"),
        *_starting("blob", [*graph.makers, *_inputs(graph)], f"sha256:{beginning}"),
        *_starting("table", graph.tables, f"sha256:{beginning}"),
        *_starting("run", [*graph.reports, *graph.written], beginning),
    ]
    if not found:
        raise ObjectNotFoundError(
            f"No manifest or run of this store mentions {text!r}", "See `airnub store ls`"
        )
    exact = [each for each in found if each[1].lower().removeprefix("sha256:") == beginning]
    found = exact or found
    if len(found) > 1:
        listed = ", ".join(name for _, name in found[:MAX_CANDIDATES])
        raise UnknownNameError(
            f"{text!r} is the beginning of {len(found)} names", f"One of {listed}"
        )
    return found[0]


def _known_ref(graph: Graph, text: str) -> str:
    if text not in graph.refs:
        hint = nearest(text, graph.refs)
        raise ObjectNotFoundError(
            f"There is no ref {text!r}",
            f"Did you mean {hint}?" if hint else "See `airnub store ls`",
        )
    return text


def _inputs(graph: Graph) -> list[str]:
    return [name for name in graph.readers if name not in graph.manifests]


def _starting(kind: Kind, names: Iterable[str], beginning: str) -> list[tuple[Kind, str]]:
    return [(kind, name) for name in dict.fromkeys(names) if name.lower().startswith(beginning)]


def _link_manifest(graph: Graph, digest: str, manifest: Manifest) -> None:
    for blob in outputs_of(manifest):
        graph.makers[blob].append(digest)
    if isinstance(manifest, DerivedManifest):
        taken = {name for each in manifest.inputs for name in (each.manifest, each.blob)}
        for name in taken:
            graph.readers[name].append(digest)
        if table := manifest.annotations.get(TABLE_DIGEST):
            graph.tables[table].append(digest)
    if manifest.run.flow_run_id:
        graph.written[manifest.run.flow_run_id].append(digest)


def _link_report(graph: Graph, report: RunReport) -> None:
    confirmed = graph.written[report.run_id]
    named = [each.manifest for each in report.results] + [each.manifest for each in report.derived]
    confirmed.extend(digest for digest in dict.fromkeys(named) if digest not in confirmed)
    if report.parent_run_id:
        graph.started[report.parent_run_id].append(report.run_id)


def _describe(manifest: Manifest) -> str:
    name = _ref_of(manifest)
    if isinstance(manifest, FetchManifest):
        return f"{name}, fetched {rfc3339(manifest.fetched_at)}, {manifest.blob.size:,} bytes"
    count = len(manifest.outputs)
    rows = f", {manifest.rows.rows_out:,} rows" if manifest.rows else ""
    return f"{name}, computed {rfc3339(manifest.created_at)}, {count} outputs{rows}"


def _ref_of(manifest: Manifest) -> str:
    return f"{manifest.namespace}/{manifest.source_id}"
