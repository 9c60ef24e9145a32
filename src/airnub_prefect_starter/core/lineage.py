"""Where bytes came from and what became of them: run → manifests → inputs → outputs, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airnub_prefect_starter.core.lineage_graph import (
    Graph,
    Kind,
    outputs_of,
    read_graph,
    resolve,
)
from airnub_prefect_starter.core.manifest_models import (
    FetchManifest,
    Manifest,
    Record,
    SourceFailure,
)
from airnub_prefect_starter.core.store import Store

MAX_DEPTH = 20


class TraceNode(Record):
    """One thing in the history of some bytes.

    ``id`` is an address, a digest, a run id or a ref. ``note`` says why children are left out.
    """

    kind: Kind
    id: str
    label: str
    note: str = ""
    children: tuple[TraceNode, ...] = ()


class Trace(Record):
    """The history of one thing: what it was made of, and what was made of it.

    ``failed`` names what a run, or one that it started, could not do.
    """

    target: TraceNode
    made_of: tuple[TraceNode, ...]
    made_into: tuple[TraceNode, ...]
    failed: tuple[SourceFailure, ...] = ()


def trace(store: Store, target: str) -> Trace:
    """Walk the manifests of a store from one thing in both directions.

    Every manifest is read once. In each direction a manifest is expanded once, and at most 20
    levels deep, so a trace is never larger than the store.

    Args:
        store: Where to look.
        target: A digest (of a blob, a manifest or a table's rows, 8 hexadecimal digits are enough),
            a ref as ``namespace/source_id``, or a run's id (its first 8 characters are enough).

    Raises:
        ObjectNotFoundError: Nothing known has that name. No retry.
        UnknownNameError: A short name fits more than one thing. No retry.
        StoreError: A manifest cannot be read or fails verification.
    """
    graph = read_graph(store)
    kind, name = resolve(graph, target)
    makers, readers = _starts(graph, kind, name)
    made_of = _Walk(graph, upwards=True).manifests(makers)
    made_into = _Walk(graph, upwards=False).manifests(readers)
    if kind in ("manifest", "ref"):
        # The thing itself is the target; its neighbours are what was asked for.
        made_of, made_into = made_of[0].children, made_into[0].children
    node = TraceNode(kind=kind, id=name, label=graph.label(kind, name))
    failed = tuple(graph.failures_of(name)) if kind == "run" else ()
    return Trace(target=node, made_of=made_of, made_into=made_into, failed=failed)


def render_trace(found: Trace) -> str:
    """Draw a trace as an indented tree of text; unprintable characters become ``?``."""
    lines = [_line(found.target)]
    for heading, nodes in (("made of", found.made_of), ("made into", found.made_into)):
        lines += ["", f"{heading}:" if nodes else f"{heading}: nothing known"]
        lines += _tree(nodes, "")
    if found.failed:
        lines += ["", "failed:", *map(_failure, found.failed)]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _starts(graph: Graph, kind: Kind, name: str) -> tuple[list[str], list[str]]:
    if kind == "blob":
        return graph.makers.get(name, []), graph.readers.get(name, [])
    if kind == "table":
        makers = graph.tables[name]
        return makers, [each for maker in makers for each in graph.readers.get(maker, [])]
    if kind == "run":
        runs = graph.runs_of(name)
        written = list(dict.fromkeys(each for run in runs for each in graph.written.get(run, [])))
        return written, written
    digest = graph.refs[name] if kind == "ref" else name
    return [digest], [digest]


class _Walk:
    """Expands manifests in one direction, each of them once."""

    def __init__(self, graph: Graph, *, upwards: bool) -> None:
        self._graph = graph
        self._upwards = upwards
        self._seen: set[str] = set()

    def manifests(self, digests: Iterable[str], depth: int = 0) -> tuple[TraceNode, ...]:
        return tuple(self._manifest(digest, depth) for digest in dict.fromkeys(digests))

    def _manifest(self, digest: str, depth: int) -> TraceNode:
        manifest = self._graph.manifests.get(digest)
        label = self._graph.label("manifest", digest)
        note, children = "", tuple[TraceNode, ...]()
        if digest in self._seen:
            note = "expanded elsewhere in this tree"
        elif depth >= MAX_DEPTH:
            note = f"deeper than {MAX_DEPTH} levels: trace it by its digest"
        elif manifest:
            self._seen.add(digest)
            around = self._before if self._upwards else self._after
            children = tuple(around(digest, manifest, depth + 1))
        return TraceNode(kind="manifest", id=digest, label=label, note=note, children=children)

    def _before(self, _digest: str, manifest: Manifest, depth: int) -> Iterator[TraceNode]:
        if isinstance(manifest, FetchManifest):
            label = f"answered {manifest.blob.media_type}"
            yield TraceNode(kind="source", id=manifest.source.url, label=label)
            if manifest.continues is not None:
                yield from self.manifests([manifest.continues], depth)
        else:
            yield from self.manifests((each.manifest for each in manifest.inputs), depth)
        run = manifest.run.flow_run_id
        if run:
            yield TraceNode(kind="run", id=run, label=self._graph.label("run", run))

    def _after(self, digest: str, manifest: Manifest, depth: int) -> Iterator[TraceNode]:
        for blob, name in outputs_of(manifest).items():
            yield TraceNode(kind="blob", id=blob, label=name)
        yield from self.manifests(self._graph.readers.get(digest, []), depth)


def _tree(nodes: tuple[TraceNode, ...], indent: str) -> Iterator[str]:
    for number, node in enumerate(nodes, start=1):
        last = number == len(nodes)
        yield f"{indent}{'└─' if last else '├─'} {_line(node)}"
        yield from _tree(node.children, f"{indent}{'   ' if last else '│  '}")


def _line(node: TraceNode) -> str:
    name = node.id.removeprefix("sha256:")[:12] if node.id.startswith("sha256:") else node.id
    note = f" ({node.note})" if node.note else ""
    return f"{node.kind} {name}  {node.label}{note}"


def _failure(failure: SourceFailure) -> str:
    return f"{failure.namespace}/{failure.source_id}  {failure.error}: {failure.message}"
