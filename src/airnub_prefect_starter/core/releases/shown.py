"""A release as Markdown: what is in it, what changed, and how to get it."""

from __future__ import annotations

from collections.abc import Sequence

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table, short_digest
from airnub_prefect_starter.core.releases.dvc import Remote, remote_of
from airnub_prefect_starter.core.releases.records import (
    DatasetChange,
    Release,
    ReleasedSource,
    changes_between,
)
from airnub_prefect_starter.core.releases.release import read_release, read_result
from airnub_prefect_starter.core.store import Store


def read_release_page(store: Store, result: DerivedResult, department: str) -> str:
    """Show the release of a result, whichever run made it, beside the one before.

    Raises:
        StoreError: A release cannot be read. No retry.
    """
    release = read_result(store, result)
    before = read_release(store, release.name, release.previous) if release.previous else None
    ref = f"{result.namespace}/{result.source_id}"
    get = f"airnub store get {ref} --to release -d {department}"
    return release_markdown(release, before, remote_of(store), get=get)


def release_markdown(
    release: Release, previous: Release | None, remote: Remote, *, get: str
) -> str:
    """Show hashes, changes since the release before, pointer files and the commands to pull.

    Args:
        release: What to show.
        previous: The one before, if there is one.
        remote: Where its bytes are.
        get: The command that writes the pointer files into the folder ``release``.
    """
    pointers = release.pointers().items()
    return "\n\n".join(
        [
            f"# Release {escape_markdown(release.name)}@{release.number}",
            f"{len(release.datasets)} data sets, released {rfc3339(release.created_at)}; content"
            f" {short_digest(release.content)}",
            _files(release),
            "## Made of",
            _sources(release.sources),
            f"## Since {release.name}@{previous.number}" if previous else "## The first release",
            _changes(changes_between(previous, release)),
            "## Pull it",
            _code("sh", "\n".join([get, "cd release", *remote.commands()])),
            *(f"`{name}`\n\n{_code('yaml', text.decode())}" for name, text in pointers),
            f"`airnub reproduce {release.name}@{release.number}` makes it again and compares.",
        ]
    )


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def _files(release: Release) -> str:
    header = ("data set", "file", "size", "MD5", "SHA-256")
    rows = (
        (
            f"`{each.name}`",
            f"`{file.name}`",
            human_bytes(file.size),
            f"`{file.md5}`",
            short_digest(file.sha256),
        )
        for each in release.datasets
        for file in each.files
    )
    return markdown_table(header, rows)


def _sources(sources: Sequence[ReleasedSource]) -> str:
    header = ("ref", "manifest", "code", "table", "version", "rows")
    return markdown_table(
        header,
        (
            (
                f"`{each.ref}`",
                short_digest(each.manifest),
                short_digest(each.code) if each.code else "",
                f"`{each.table.table}`" if each.table else "",
                str(each.table.version) if each.table else "",
                f"{each.table.rows:,}" if each.table else "",
            )
            for each in sources
        ),
    )


def _changes(changes: Sequence[DatasetChange]) -> str:
    header = ("data set", "change", "size before", "size", "files")
    return markdown_table(
        header,
        (
            (
                f"`{each.name}`",
                each.change,
                human_bytes(each.size_before),
                human_bytes(each.size),
                ", ".join(f"`{name}`" for name in each.files),
            )
            for each in changes
        ),
    )
