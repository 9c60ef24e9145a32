"""Typed results as Markdown, for people who look at a run. Publishing is not done here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.derivation import REJECTED
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedResult,
    FetchManifest,
    Manifest,
    RowCounts,
    SourceFailure,
    SourceResult,
)
from airnub_prefect_starter.core.markdown import (
    escape_markdown,
    frame_table,
    image,
    markdown_table,
    short_digest,
)
from airnub_prefect_starter.core.page_facts import PageFacts

if TYPE_CHECKING:
    # Runs that analyze nothing shall not import what draws.
    from airnub_prefect_starter.core.analysis import Findings

MAX_LINKS = 20
_NO_COUNTS = RowCounts(rows_in=0, rows_out=0, rejected=0, duplicates=0)


def sources_markdown(
    title: str, results: Sequence[SourceResult], failures: Sequence[SourceFailure] = ()
) -> str:
    """Show how each source of a run fared: outcome, size, digest, requests; failures first."""
    received = human_bytes(sum(each.bytes_in for each in results))
    total = len(results) + len(failures)
    parts = [
        f"# {escape_markdown(title)}",
        f"**{len(results)} of {total} sources are in the store**, {received} received.",
        *_failures(failures),
    ]
    if results:
        header = ("source", "outcome", "size", "received", "digest", "requests")
        parts.append(markdown_table(header, map(_source_row, results)))
        parts.append("`airnub trace DIGEST` shows where bytes came from and what was made of them.")
    return "\n\n".join(parts)


def manifests_markdown(
    title: str,
    found: Sequence[tuple[SourceResult, Manifest]],
    department: str = "DEPARTMENT",
) -> str:
    """Show all that the store remembers of each source, and how to get its bytes."""
    entries = [_manifest_entry(result, manifest, department) for result, manifest in found]
    return "\n\n".join([f"# {escape_markdown(title)}: manifests", *entries])


def derived_markdown(
    title: str, results: Sequence[DerivedResult], failures: Sequence[SourceFailure] = ()
) -> str:
    """Show what was derived, and that in = out + rejected + duplicates for every table."""
    total = len(results) + len(failures)
    parts = [
        f"# {escape_markdown(title)}",
        f"**{len(results)} of {total} outputs are in the store.**",
        *_failures(failures),
    ]
    if results:
        header = ("output", "outcome", "in", "out", "rejected", "duplicates", "files", "digest")
        parts.append(markdown_table(header, map(_derived_row, results)))
        parts.append("Rows reconcile: in = out + rejected + duplicates.")
    parts += [note for result in results for note in _rejected_notes(result)]
    return "\n\n".join(parts)


def findings_markdown(title: str, findings: Findings) -> str:
    """Show plots and summaries of an analysis."""
    parts = [f"# {escape_markdown(title)}"]
    parts += [image(_heading(name), png) for name, png in findings.plots.items()]
    for name, frame in findings.summaries.items():
        parts += [f"## {escape_markdown(_heading(name))}", frame_table(frame)]
    return "\n\n".join(parts)


def pages_markdown(title: str, pages: Sequence[PageFacts]) -> str:
    """Show where pages lead and what they hold."""
    rows = [
        (
            escape_markdown(page.source_id),
            str(page.words),
            ", ".join(map(str, page.table_rows)) or "none",
            "<br>".join(escape_markdown(link) for link in page.links[:MAX_LINKS]) or "none",
        )
        for page in pages
    ]
    table = markdown_table(("page", "words", "rows of its tables", "links"), rows)
    return f"# {escape_markdown(title)}: pages\n\n{table}"


def stage_markdown(
    title: str,
    completed: Mapping[str, int],
    failed: Mapping[str, str],
    metrics: Mapping[str, int] | None = None,
) -> str:
    """Show how each category of a stage fared, failed ones first, and what it came to.

    Args:
        title: Name of the stage's flow.
        completed: Category → number of its results.
        failed: Category → what went wrong, in one line.
        metrics: Name → number, such as bytes received.
    """
    rows = [(name, "**failed**", escape_markdown(reason)) for name, reason in failed.items()]
    rows += [(name, "completed", f"{count} results") for name, count in completed.items()]
    parts = [
        f"# {escape_markdown(title)}",
        markdown_table(("category", "state", "what happened"), rows),
    ]
    if metrics:
        numbers = [(_heading(name), f"{number:,}") for name, number in metrics.items()]
        parts.append(markdown_table(("metric", "value"), numbers))
    return "\n\n".join(parts)


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _failures(failures: Sequence[SourceFailure]) -> Iterator[str]:
    if not failures:
        return
    yield f"## {len(failures)} failed"
    header = ("source", "error", "what happened and what to do", "run again?")
    yield markdown_table(header, map(_failure_row, failures))


def _failure_row(failure: SourceFailure) -> tuple[str, ...]:
    advice = "yes, it may pass" if failure.transient else "no, correct the cause first"
    return (
        f"**{escape_markdown(failure.source_id)}**",
        f"{escape_markdown(failure.error)} (exit code {failure.exit_code})",
        escape_markdown(failure.message),
        advice,
    )


def _source_row(result: SourceResult) -> tuple[str, ...]:
    return (
        escape_markdown(result.source_id),
        escape_markdown(result.outcome),
        human_bytes(result.blob.size),
        human_bytes(result.bytes_in),
        short_digest(result.blob.digest),
        str(result.attempts),
    )


def _derived_row(result: DerivedResult) -> tuple[str, ...]:
    rows = result.rows
    counts = (rows.rows_in, rows.rows_out, rows.rejected, rows.duplicates) if rows else ()
    size = human_bytes(sum(output.blob.size for output in result.outputs))
    return (
        escape_markdown(result.source_id),
        escape_markdown(result.outcome),
        *([f"{count:,}" for count in counts] or [""] * 4),
        f"{len(result.outputs)} ({size})",
        short_digest(result.table_digest or result.manifest),
    )


def _rejected_notes(result: DerivedResult) -> Iterator[str]:
    rejected = (result.rows or _NO_COUNTS).rejected
    for output in result.outputs:
        if rejected and output.name == REJECTED:
            yield (
                f"{escape_markdown(result.source_id)}: {rejected:,} rejected rows with their "
                f"reasons: `airnub store get {output.blob.digest}`"
            )


def _manifest_entry(result: SourceResult, manifest: Manifest, department: str) -> str:
    name = f"{manifest.namespace}/{manifest.source_id}"
    facts = [
        ("outcome", escape_markdown(result.outcome)),
        ("manifest", f"`{result.manifest}`"),
        *(
            _fetched_facts(manifest)
            if isinstance(manifest, FetchManifest)
            else _derived_facts(manifest)
        ),
        ("previous manifest", f"`{manifest.previous}`" if manifest.previous else "none"),
        ("written by", escape_markdown(f"{manifest.producer.name} {manifest.producer.version}")),
        ("flow run", escape_markdown(manifest.run.flow_run_id or "none")),
        ("get it", f"`airnub store get {name} --department {department}`"),
    ]
    return f"## {escape_markdown(name)}\n\n{markdown_table(('fact', 'value'), facts)}"


def _fetched_facts(manifest: FetchManifest) -> list[tuple[str, str]]:
    source = manifest.source
    optional = {
        "final address": source.final_url if source.final_url != source.url else None,
        "redirects": ", ".join(source.redirects) or None,
        "ETag": source.etag,
        "Last-Modified": source.last_modified,
        "content type": source.content_type,
        "content encoding": source.content_encoding,
        "file name": source.filename,
        "digest claimed by the source": source.claimed_digest,
    }
    return [
        ("bytes", f"`{manifest.blob.digest}`"),
        ("size", f"{manifest.blob.size:,} bytes"),
        ("media type", escape_markdown(manifest.blob.media_type)),
        ("address", escape_markdown(source.url)),
        *((name, escape_markdown(text)) for name, text in optional.items() if text),
        ("fetched at", rfc3339(manifest.fetched_at)),
    ]


def _derived_facts(manifest: DerivedManifest) -> list[tuple[str, str]]:
    inputs = sorted({f"{each.namespace}/{each.source_id}" for each in manifest.inputs})
    return [
        ("inputs", escape_markdown(", ".join(inputs))),
        ("outputs", escape_markdown(", ".join(output.name for output in manifest.outputs))),
        ("computed at", rfc3339(manifest.created_at)),
    ]
