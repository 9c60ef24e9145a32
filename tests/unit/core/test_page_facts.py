from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    TooLargeError,
)
from airnub_prefect_starter.core.manifest_models import Outcome, Source, SourceResult
from airnub_prefect_starter.core.page_facts import PageFacts, core_read_page
from airnub_prefect_starter.core.store import DerivedCommit, FetchCommit, Store
from tests.fetch_kit import Kept

PAGE = """\
<html><head><title>Flüge</title><script>var ignored = 1;</script></head><body>
<h1>Three words here</h1>
<a href="/a">a</a> <a href="b.html#part">b</a> <a href="mailto:x@y.ie">mail</a>
<table><tr><th>n</th></tr><tr><td>1</td></tr><tr><td>2</td></tr></table>
<table><tr><th>m</th></tr></table>
</body></html>
"""


def _stored(store: Store, body: bytes, content_type: str | None = None) -> SourceResult:
    source = Source(
        url="http://h/start", final_url="http://h/dir/page.html", content_type=content_type
    )
    with store.spool() as spool:
        spool.write(body)
        committed = store.commit_fetch(FetchCommit("pages", "page", source, spool))
    assert committed.ref.blob is not None
    return _result(committed.ref.manifest.digest, committed.ref.blob.digest, committed.outcome)


def _result(manifest: str, blob: str, outcome: Outcome = "stored") -> SourceResult:
    return SourceResult.model_validate(
        {
            "source_id": "page",
            "namespace": "pages",
            "outcome": outcome,
            "manifest": manifest,
            "blob": {"digest": blob, "size": 0},
            "bytes_in": 0,
            "attempts": 1,
        }
    )


def test_a_page_says_where_it_leads_and_what_it_holds(kept: Kept) -> None:
    facts = core_read_page(kept.store, _stored(kept.store, PAGE.encode()))

    assert facts.source_id == "page"
    assert facts.links[:2] == ("http://h/a", "http://h/dir/b.html")
    assert facts.table_rows == (3, 1)  # headings are rows too
    assert facts.words >= 3


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", None, 0),
        (b"<p>one two", None, 2),
        ("<p>a\u2003b".encode("utf-16"), None, 2),
        (b"<p>caf\xe9 bar", "text/html; charset=iso-8859-1", 2),
        (b"no markup at all", "text/html", 4),
    ],
    ids=["empty", "unclosed", "utf-16", "latin-1", "plain"],
)
def test_any_bytes_are_a_page(
    kept: Kept, body: bytes, content_type: str | None, words: int
) -> None:
    facts = core_read_page(kept.store, _stored(kept.store, body, content_type))

    assert facts == PageFacts(source_id="page", links=(), table_rows=(), words=words)


def test_absurd_nesting_is_refused(kept: Kept) -> None:
    result = _stored(kept.store, b"<div>" * 100_000)

    with pytest.raises(TooLargeError):
        core_read_page(kept.store, result)


def test_damaged_bytes_are_not_read(kept: Kept) -> None:
    result = _stored(kept.store, PAGE.encode())
    digits = result.blob.digest.removeprefix("sha256:")
    blob = kept.folder / "blobs" / "sha256" / digits[:2] / digits
    blob.chmod(0o644)
    blob.write_bytes(PAGE.replace("Three", "Seven").encode())

    with pytest.raises(CorruptObjectError):
        core_read_page(kept.store, result)


def test_a_manifest_that_is_not_there_is_told(kept: Kept) -> None:
    result = _stored(kept.store, PAGE.encode())

    with pytest.raises(ObjectNotFoundError):
        core_read_page(kept.store, result.model_copy(update={"manifest": f"sha256:{'0' * 64}"}))


def test_a_derivation_is_no_page(kept: Kept) -> None:
    blob = _stored(kept.store, PAGE.encode()).blob.digest
    commit = DerivedCommit("pages", "derived", inputs=(), outputs=())
    manifest = kept.store.commit_derived(commit).ref.manifest.digest

    with pytest.raises(CorruptObjectError, match="is not of a fetched page"):
        core_read_page(kept.store, _result(manifest, blob))
