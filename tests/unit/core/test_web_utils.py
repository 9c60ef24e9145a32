from __future__ import annotations

import gzip
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    PayloadError,
    SourceRejectedError,
    SourceUnavailableError,
    StarterError,
    TooLargeError,
    TruncatedBodyError,
)
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.manifest_models import FetchManifest, SourceResult
from airnub_prefect_starter.core.sources import PageSource
from airnub_prefect_starter.core.web_utils import core_scrape_page_and_store
from tests.fault_server import (
    Behaviour,
    FaultServer,
    cut,
    file,
    ok,
    raw,
    redirect,
    repr_digest,
    silent,
    status,
)
from tests.fetch_kit import LOOPBACK, QUICK, Kept, PatientClient

HTML = "<html><body><h1>Crédits</h1></body></html>".encode("latin-1")
TYPE = "text/html; charset=ISO-8859-1"


def scrape(kept: Kept, client: HttpClient, url: str, **changes: Any) -> SourceResult:
    given = {"source_id": "page", "url": url, "access": LOOPBACK, "limits": QUICK, "delay_s": 0}
    source = PageSource.model_validate({**given, **changes})
    return core_scrape_page_and_store(kept.store, source, namespace="pages", client=client)


def test_a_page_is_kept_as_it_is(faults: FaultServer, kept: Kept, client: PatientClient) -> None:
    url = faults.on("/page.html", file(HTML, Content_Type=TYPE))

    result = scrape(kept, client, url)

    assert kept.store.read_blob(result.blob.digest) == HTML
    found = kept.store.manifest(result.manifest)
    assert isinstance(found, FetchManifest)
    assert found.annotations == {"charset": "cp1252"}
    assert found.source.content_type == TYPE
    assert (result.outcome, result.attempts, result.bytes_in) == ("stored", 1, len(HTML))
    assert faults.paths() == ["/robots.txt", "/page.html"]


def test_an_unchanged_page_is_not_sent(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/page.html", file(HTML, Content_Type=TYPE))
    scrape(kept, client, url)
    before = kept.files()

    again = scrape(kept, client, url)

    assert (again.outcome, again.bytes_in) == ("not_modified", 0)
    assert kept.files() == before
    assert faults.paths().count("/robots.txt") == 1


def test_a_compressed_page_is_kept_unpacked(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/p", ok(gzip.compress(HTML), Content_Encoding="gzip", Content_Type=TYPE))

    assert kept.store.read_blob(scrape(kept, client, url).blob.digest) == HTML


def test_a_damaged_page_is_read_once_more(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/p", ok(HTML, Repr_Digest=repr_digest(b"")), ok(HTML))

    assert kept.store.read_blob(scrape(kept, client, url).blob.digest) == HTML


HUGE = b"User-agent: *\nDisallow:\n" + b"# x\n" * 300_000

ROBOTS: dict[str, tuple[Behaviour, type[StarterError] | None]] = {
    "none": (status(404), None),
    "forbidden to read": (status(403), None),
    "empty": (ok(b""), None),
    "all allowed": (ok(b"User-agent: *\nDisallow:\n"), None),
    "this one allowed": (ok(b"User-agent: *\nAllow: /page\nDisallow: /\n"), None),
    "others forbidden": (ok(b"User-agent: badbot\nDisallow: /\n"), None),
    "huge": (ok(HUGE), None),
    "not text": (ok(bytes(range(256)) * 100), None),
    "moved": (redirect("/rules.txt"), SourceRejectedError),
    "all forbidden": (ok(b"User-agent: *\nDisallow: /\n"), SourceRejectedError),
    "BOM, all forbidden": (ok(b"\xef\xbb\xbfUser-agent: *\nDisallow: /"), SourceRejectedError),
    "this agent forbidden": (
        ok(b"User-agent: airnub-prefect-starter\nDisallow: /page\n\nUser-agent: *\nDisallow:\n"),
        SourceRejectedError,
    ),
    "server error": (status(500), SourceUnavailableError),
    "too many requests": (status(429), SourceUnavailableError),
    "cut": (cut(b"User-agent: *\nDisallow: /\n", 10), TruncatedBodyError),
    "leads to a private address": (redirect("http://10.0.0.1/robots.txt"), BlockedUrlError),
}


@pytest.mark.parametrize(("robots", "expected"), ROBOTS.values(), ids=ROBOTS)
def test_robots_txt_decides(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    robots: Behaviour,
    expected: type[StarterError] | None,
) -> None:
    url = faults.on("/page.html", file(HTML, Content_Type=TYPE))
    faults.on("/robots.txt", robots)
    faults.on("/rules.txt", ok(b"User-agent: *\nDisallow: /page\n"))
    before = kept.files()

    if expected is None:
        assert scrape(kept, client, url).outcome == "stored"
        return
    with pytest.raises(expected):
        scrape(kept, client, url)
    assert "/page.html" not in faults.paths()
    assert kept.files() == before


@pytest.mark.parametrize("other_host", [False, True])
def test_a_redirect_does_not_lead_around_robots_txt(
    faults: FaultServer, kept: Kept, client: PatientClient, other_host: bool
) -> None:
    target = f"{faults.alias if other_host else ''}/private/page.html"
    url = faults.on("/open", redirect(target))
    faults.on("/private/page.html", ok(HTML, Content_Type=TYPE))
    faults.on("/robots.txt", ok(b"User-agent: *\nDisallow: /private/\n"))
    before = kept.files()

    with pytest.raises(SourceRejectedError, match=r"robots\.txt forbids http.*/private/page"):
        scrape(kept, client, url)

    assert "/private/page.html" not in faults.paths()
    assert kept.files() == before


def test_what_failed_to_say_is_asked_again(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/page.html", file(HTML, Content_Type=TYPE))
    faults.on("/robots.txt", status(503), status(404))
    with pytest.raises(SourceUnavailableError):
        scrape(kept, client, url)

    assert scrape(kept, client, url).outcome == "stored"


@pytest.mark.parametrize(
    ("robots", "changes", "delay_s"),
    [
        pytest.param(b"", {"delay_s": 5}, 5, id="configured"),
        pytest.param(b"Crawl-delay: 2", {"delay_s": 5}, 2, id="the site's own word"),
        pytest.param(b"crawl-delay:0.5 # s", {"delay_s": 5}, 0.5, id="a part of a second"),
        pytest.param(b"Crawl-delay: 999", {"max_crawl_delay_s": 7}, 7, id="not beyond the cap"),
        pytest.param(b"Crawl-delay: much", {"delay_s": 5}, 5, id="not a number"),
    ],
)
def test_requests_to_a_host_are_apart(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    robots: bytes,
    changes: dict[str, Any],
    delay_s: float,
) -> None:
    url = faults.on("/page.html", ok(HTML, Content_Type=TYPE))
    faults.on("/robots.txt", ok(b"User-agent: *\nDisallow: /x\n" + robots + b"\n"))

    for _ in range(2):
        scrape(kept, client, url, **changes)

    assert client.pauses == [pytest.approx(delay_s, abs=0.4)]


FAULTS: dict[str, tuple[Behaviour, dict[str, Any], type[StarterError]]] = {
    "not a page": (ok(b"%PDF", Content_Type="application/pdf"), {}, PayloadError),
    "empty": (ok(b"", Content_Type=TYPE), {}, PayloadError),
    "gone": (status(410), {}, SourceRejectedError),
    "too large": (ok(HTML, Content_Type=TYPE), {"max_page_bytes": 10}, TooLargeError),
    "bomb": (
        ok(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"),
        {},
        TooLargeError,
    ),
    "cut": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<html>"),
        {},
        TruncatedBodyError,
    ),
    "silent": (silent(), {}, StarterError),
}


@pytest.mark.parametrize(("behaviour", "changes", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_an_error_of_its_kind_and_leaves_nothing(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    behaviour: Behaviour,
    changes: dict[str, Any],
    expected: type[StarterError],
) -> None:
    before = kept.files()

    with pytest.raises(expected):
        scrape(kept, client, faults.on("/page.html", behaviour), **changes)

    assert kept.files() == before


def test_a_page_without_a_type_is_taken_for_html(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    result = scrape(kept, client, faults.on("/page.html", ok(HTML)))

    assert result.blob.media_type == "text/html"
