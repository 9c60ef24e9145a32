from __future__ import annotations

import gzip
import hashlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    DigestMismatchError,
    PayloadError,
    RedirectError,
    SourceRejectedError,
    SourceUnavailableError,
    StarterError,
    TooLargeError,
    TooSlowError,
    TruncatedBodyError,
)
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.http import download
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.http.download import MAX_RESUMES
from airnub_prefect_starter.core.manifest_models import FetchManifest, SourceResult
from airnub_prefect_starter.core.sources import FileSource
from tests.fault_server import (
    Behaviour,
    Exchange,
    FaultServer,
    cut,
    dripping,
    endless,
    file,
    ok,
    raw,
    redirect,
    repr_digest,
    silent,
    status,
)
from tests.fetch_kit import LOOPBACK, QUICK, Kept, PatientClient

BODY = b"a,b\n1,2\n" * 5_000
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
HEAD = b"HTTP/1.1 200 OK\r\n"
HTML = b"\n <!DOCTYPE html><html><body>Please log in</body></html>"
MANY_HEADERS = b"".join(b"X-%d: y\r\n" % number for number in range(150))


def source_at(url: str, **changes: Any) -> FileSource:
    given = {"source_id": "file", "url": url, "access": LOOPBACK, "limits": QUICK, **changes}
    return FileSource.model_validate(given)


def fetch(kept: Kept, client: HttpClient, url: str, **changes: Any) -> SourceResult:
    return core_download_hash_store_and_manifest(
        kept.store, source_at(url, **changes), namespace="files", client=client
    )


def manifest_of(kept: Kept, result: SourceResult) -> FetchManifest:
    found = kept.store.manifest(result.manifest)
    assert isinstance(found, FetchManifest)
    return found


def test_a_file_is_stored_with_what_its_server_said(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    headers = {
        "Content_Type": "Text/CSV; charset=utf-8",
        "Last_Modified": "Fri, 01 Feb 2013 00:00:00 GMT",
        "Content_Disposition": "attachment; filename=data.csv",
        "Repr_Digest": repr_digest(BODY),
        "Set_Cookie": "session=c00kie",
    }
    url = faults.on("/data", file(BODY, **headers))

    result = fetch(kept, client, url)

    assert (result.outcome, result.bytes_in, result.attempts) == ("stored", len(BODY), 1)
    assert kept.store.read_blob(DIGEST) == BODY
    found = manifest_of(kept, result)
    assert found.blob.media_type == "text/csv"
    assert found.source.model_dump(exclude={"url", "final_url", "redirects"}) == {
        "etag": '"v1"',
        "last_modified": "Fri, 01 Feb 2013 00:00:00 GMT",
        "content_type": "Text/CSV; charset=utf-8",
        "content_encoding": None,
        "filename": "data.csv",
        "claimed_digest": DIGEST,
    }
    assert not any(b"c00kie" in content for content in kept.files().values())


def test_an_unchanged_file_is_not_sent_and_writes_nothing(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/data", file(BODY))
    fetch(kept, client, url)
    before = kept.files()

    again = fetch(kept, client, url)

    assert (again.outcome, again.bytes_in, again.attempts) == ("not_modified", 0, 1)
    assert kept.files() == before


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"expected_digest": "sha256:" + "0" * 64}, id="other bytes expected"),
        pytest.param({"url": "/moved"}, id="other address"),
    ],
)
def test_validators_of_other_bytes_are_not_sent(
    faults: FaultServer, kept: Kept, client: PatientClient, changes: dict[str, str]
) -> None:
    url = faults.on("/data", file(BODY))
    faults.on("/moved", file(b"new", Last_Modified="Fri, 01 Feb 2013 00:00:00 GMT"))
    fetch(kept, client, url)
    if "url" in changes:
        result = fetch(kept, client, faults.url + changes["url"])
        assert result.outcome == "stored"
    else:
        with pytest.raises(DigestMismatchError):
            fetch(kept, client, url, **changes)

    assert "if-none-match" not in faults.requests[-1].headers


def test_lost_bytes_are_fetched_again_in_full(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/data", file(BODY))
    fetch(kept, client, url)
    hexadecimal = DIGEST.removeprefix("sha256:")
    (kept.folder / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal).unlink()

    assert fetch(kept, client, url).outcome == "stored"
    assert kept.store.read_blob(DIGEST) == BODY


# Each: behaviours of the source's address, changes to the source, the error that must come.
FAULTS: dict[str, tuple[list[Behaviour], dict[str, Any], type[StarterError]]] = {
    "bad request": ([status(400)], {}, SourceRejectedError),
    "unauthorized": ([status(401)], {}, SourceRejectedError),
    "not found": ([status(404)], {}, SourceRejectedError),
    "gone": ([status(410)], {}, SourceRejectedError),
    "request timeout": ([status(408)], {}, SourceUnavailableError),
    "too many requests": ([status(429)], {}, SourceUnavailableError),
    "server error": ([status(500)], {}, SourceUnavailableError),
    "unavailable": ([status(503)], {}, SourceUnavailableError),
    "asks to wait too long": ([status(503, Retry_After="3600")], {}, SourceUnavailableError),
    "asks to wait without end": ([status(429, Retry_After="1")], {}, SourceUnavailableError),
    "unknown status": ([status(299)], {}, SourceRejectedError),
    "status beyond all": ([status(799)], {}, SourceRejectedError),
    "no content": ([raw(b"HTTP/1.1 204 No Content\r\n\r\n")], {}, PayloadError),
    "part nobody asked for": ([status(206, BODY)], {}, PayloadError),
    "304 nobody asked for": ([status(304)], {}, SourceRejectedError),
    "reset": ([lambda exchange: exchange.reset()], {}, SourceUnavailableError),
    "closed without an answer": ([raw(b"")], {}, SourceUnavailableError),
    "not HTTP": ([raw(b"SSH-2.0-OpenSSH_9.2\r\n")], {}, PayloadError),
    "too many headers": ([raw(HEAD + MANY_HEADERS + b"\r\n")], {}, PayloadError),
    "endless header": ([raw(HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n")], {}, PayloadError),
    "two lengths": (
        [raw(HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!")],
        {},
        PayloadError,
    ),
    "silent": ([silent()], {}, TooSlowError),
    "silent in the headers": ([silent(HEAD + b"X: ")], {}, TooSlowError),
    "silent in the body": ([silent(HEAD + b"Content-Length: 9\r\n\r\nbody")], {}, TooSlowError),
    "dripping headers": ([dripping(HEAD, b"X")], {}, TooSlowError),
    "dripping body": ([dripping(HEAD + b"\r\n")], {}, TooSlowError),
    "dripping chunk size": (
        [dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0")],
        {},
        TooSlowError,
    ),
    "over the total time": (
        [dripping(HEAD + b"\r\n", b"x" * 100)],
        {"limits": QUICK.model_copy(update={"total_timeout_s": 0.2})},
        TooSlowError,
    ),
    "endless body": ([endless()], {}, TooLargeError),
    "endless chunks": ([endless(chunked=True)], {}, TooLargeError),
    "announced too large": (
        [raw(HEAD + b"Content-Length: 99999999999\r\n\r\nx")],
        {},
        TooLargeError,
    ),
    "shorter than announced": (
        [raw(HEAD + b"Content-Length: 9\r\n\r\nbody")],
        {},
        TruncatedBodyError,
    ),
    "reset in the body": (
        [raw(HEAD + b"Content-Length: 9\r\n\r\nbody", then_reset=True)],
        {},
        TruncatedBodyError,
    ),
    "cut between chunks": (
        [raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")],
        {},
        TruncatedBodyError,
    ),
    "cut in a chunk": (
        [raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nbody")],
        {},
        TruncatedBodyError,
    ),
    "chunk of no size": (
        [raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n")],
        {},
        TruncatedBodyError,
    ),
    "chunk of negative size": (
        [raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 100_000)],
        {},
        TruncatedBodyError,
    ),
    "cut, weak validator": ([cut(BODY, 100, 'W/"v1"')], {}, TruncatedBodyError),
    "cut, no validator": ([cut(BODY, 100, None)], {}, TruncatedBodyError),
    "always a part of the rest": (
        [
            cut(BODY, 100),
            *[
                status(206, b"x", ETag='"v1"', Content_Range=f"bytes {at}-{at}/{len(BODY)}")
                for at in range(100, 120)
            ],
        ],
        {},
        TruncatedBodyError,
    ),
    "cut at the same place again": (
        [cut(BODY, 100), cut(BODY, 0)],
        {},
        TruncatedBodyError,
    ),
    "empty": ([ok(b"")], {}, PayloadError),
    "HTML for CSV": (
        [ok(b"nothing here", Content_Type="text/html")],
        {"media_type": "text/csv"},
        PayloadError,
    ),
    "HTML that calls itself CSV": (
        [ok(HTML, Content_Type="text/csv")],
        {"media_type": "text/csv"},
        PayloadError,
    ),
    "not the claimed digest": ([ok(BODY, Repr_Digest=repr_digest(b"x"))], {}, DigestMismatchError),
    "not the expected digest": (
        [ok(BODY)],
        {"expected_digest": "sha256:" + "1" * 64},
        DigestMismatchError,
    ),
    "redirect to nowhere": ([status(302)], {}, RedirectError),
    "redirect to itself": ([redirect("/data")], {}, RedirectError),
    "redirect to no address": ([redirect("http://[::1/")], {}, RedirectError),
    "redirect to undecodable": ([redirect("/\xff")], {}, RedirectError),
    "redirect to a file": ([redirect("file:///etc/passwd")], {}, BlockedUrlError),
    "redirect with credentials": ([redirect("http://u:p@127.0.0.1/")], {}, BlockedUrlError),
    "redirect to link-local": ([redirect("http://169.254.169.254/meta")], {}, BlockedUrlError),
    "redirect to private": ([redirect("http://10.0.0.1/")], {}, BlockedUrlError),
    "redirect to private, other notation": ([redirect("http://0xa000001/")], {}, BlockedUrlError),
    "redirect to NAT64": ([redirect("http://[64:ff9b::7f00:1]/")], {}, BlockedUrlError),
}


@pytest.mark.parametrize(("behaviours", "changes", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_an_error_of_its_kind_and_leaves_nothing(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    behaviours: list[Behaviour],
    changes: dict[str, Any],
    expected: type[StarterError],
) -> None:
    url = faults.on("/data", file(b"good"))
    fetch(kept, client, url)
    before = kept.files()
    faults.on("/data", *behaviours)
    # Another address in the eyes of the store, so that no validators go out.
    asked = f"{url}?again"

    with pytest.raises(expected) as caught:
        fetch(kept, client, asked, **changes)

    assert caught.type is expected
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert kept.files() == before


@pytest.mark.parametrize("url", ["http://.example/", "http://*.example/", "http://a b/"])
def test_an_address_that_cannot_be_asked(kept: Kept, client: PatientClient, url: str) -> None:
    with pytest.raises(BlockedUrlError, match=r"not an address|cannot be"):
        fetch(kept, client, url)


def test_refused_and_unresolved_addresses_are_transient(
    kept: Kept, client: PatientClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SourceUnavailableError, match="refused"):
            fetch(kept, client, f"http://127.0.0.1:{taken.getsockname()[1]}/")

    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    with pytest.raises(SourceUnavailableError, match="does not resolve"):
        fetch(kept, client, "http://nowhere.invalid/")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::ffff:127.0.0.1]"],
)
def test_loopback_is_refused_unless_allowed_however_it_is_written(
    faults: FaultServer, kept: Kept, client: PatientClient, address: str
) -> None:
    with pytest.raises(BlockedUrlError):
        fetch(kept, client, f"http://{address}:{faults.port}/data", access={})

    assert faults.requests == []


@pytest.mark.parametrize("at", [1, 8, len(BODY) - 1])
def test_a_body_that_breaks_off_is_resumed(
    faults: FaultServer, kept: Kept, client: PatientClient, at: int
) -> None:
    url = faults.on("/data", cut(BODY, at), file(BODY))

    result = fetch(kept, client, url)

    assert (result.bytes_in, result.attempts) == (len(BODY), 2)
    assert kept.store.read_blob(result.blob.digest) == BODY
    assert faults.requests[1].headers["range"] == f"bytes={at}-"
    assert faults.requests[1].headers["if-range"] == '"v1"'


def part(first: int, last: int, total: int | str = len(BODY)) -> Behaviour:
    """Answer with a part of the body, which need not be the one that was asked for."""
    place = f"bytes {first}-{last}/{total}"
    return status(206, BODY[first : last + 1], ETag='"v1"', Content_Range=place)


@pytest.fixture
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in pieces of 4 bytes: what broke off within a piece is asked for again."""
    monkeypatch.setattr(download, "READ_BYTES", 4)


CUT_CHUNKS = raw(HEAD + b'ETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n' + BODY[:8])


@pytest.mark.usefixtures("small_reads")
@pytest.mark.parametrize(
    ("behaviours", "requests"),
    [
        pytest.param([cut(BODY, 100), part(100, 149)], 3, id="a part of the rest"),
        pytest.param([CUT_CHUNKS, part(8, 99), part(100, 149)], 4, id="the length comes later"),
        pytest.param([CUT_CHUNKS, part(8, 99, "*")], 3, id="the length is never told"),
        pytest.param([cut(BODY, 100), part(100, 149, 150)], 3, id="the length changes"),
    ],
)
def test_less_of_the_rest_than_was_asked_for_is_not_the_end(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    behaviours: list[Behaviour],
    requests: int,
) -> None:
    url = faults.on("/data", *behaviours, file(BODY))

    result = fetch(kept, client, url)

    assert kept.store.read_blob(result.blob.digest) == BODY
    assert result.attempts == requests


@pytest.mark.usefixtures("small_reads")
def test_a_stalled_body_is_resumed(faults: FaultServer, kept: Kept, client: PatientClient) -> None:
    head = HEAD + b'ETag: "v1"\r\nContent-Length: %d\r\n\r\n' % len(BODY)
    url = faults.on("/data", silent(head + BODY[:100]), file(BODY))

    result = fetch(kept, client, url)

    assert kept.store.read_blob(result.blob.digest) == BODY
    assert faults.requests[1].headers["range"] == "bytes=100-"


def test_progress_in_small_steps_ends_after_five_resumes(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/data", cut(BODY, 10))

    with pytest.raises(TruncatedBodyError):
        fetch(kept, client, url)

    assert len(faults.requests) == MAX_RESUMES + 1
    assert client.pauses == [0.2, 0.4, 0.8, 1.6, 3.2]


def test_a_file_that_changes_all_the_time(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/data", *[cut(BODY, 10), status(416)] * 3)

    with pytest.raises(SourceUnavailableError, match="changes while it is read"):
        fetch(kept, client, url)


OTHER = BODY[::-1]


def _wrong_start(exchange: Any) -> None:
    exchange.respond(206, {"Content-Range": "bytes 0-9/10", "ETag": '"v1"'}, BODY)


@pytest.mark.parametrize(
    ("second", "whole"),
    [
        pytest.param(file(OTHER, '"v2"'), OTHER, id="changed: the server sends all of it"),
        pytest.param(ok(OTHER, ETag='"v2"'), OTHER, id="ranges are not supported"),
        pytest.param(status(416), BODY, id="range not satisfiable"),
        pytest.param(_wrong_start, BODY, id="part of another place"),
        pytest.param(
            status(206, b"zzz", ETag='"v2"', Content_Range=f"bytes 10-12/{len(BODY)}"),
            BODY,
            id="part of another version",
        ),
    ],
)
def test_parts_of_different_versions_are_never_joined(
    faults: FaultServer, kept: Kept, client: PatientClient, second: Behaviour, whole: bytes
) -> None:
    url = faults.on("/data", cut(BODY, 10), second, file(BODY))

    result = fetch(kept, client, url)

    assert kept.store.read_blob(result.blob.digest) == whole


@pytest.mark.parametrize(
    "changes", [{}, {"expected_digest": DIGEST}], ids=["as claimed", "as expected"]
)
def test_damaged_bytes_are_fetched_once_more_on_a_new_connection(
    faults: FaultServer, kept: Kept, client: PatientClient, changes: dict[str, str]
) -> None:
    ports: list[int] = []

    def noting(behaviour: Behaviour) -> Behaviour:
        def behave(exchange: Exchange) -> None:
            ports.append(exchange.connection.getpeername()[1])
            behaviour(exchange)

        return behave

    claim = repr_digest(BODY)
    url = faults.on(
        "/data", noting(ok(OTHER, Repr_Digest=claim)), noting(ok(BODY, Repr_Digest=claim))
    )

    result = fetch(kept, client, url, **changes)

    assert kept.store.read_blob(result.blob.digest) == BODY
    assert (result.attempts, result.bytes_in) == (2, 2 * len(BODY))
    assert ports[0] != ports[1]


def test_wrong_bytes_are_fetched_twice_and_no_more(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/data", ok(OTHER))

    with pytest.raises(DigestMismatchError):
        fetch(kept, client, url, expected_digest=DIGEST)

    assert len(faults.requests) == 2


def test_a_server_that_is_asked_to_wait_for_is_waited_for(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on(
        "/data",
        status(503, Retry_After="3"),
        status(429, Retry_After="Fri, 01 Feb 2013 00:00:00 GMT"),
        file(BODY),
    )

    result = fetch(kept, client, url)

    assert (result.outcome, result.attempts) == ("stored", 3)
    assert client.pauses == [3.0, 0.0]


def test_redirects_are_followed_and_recorded(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/data", redirect(f"{faults.alias}/next?token=t0ken"))
    faults.on("/next", redirect("/final", 308))
    faults.on("/final", file(BODY))

    source = manifest_of(kept, fetch(kept, client, url)).source

    assert source.redirects == (url, f"{faults.alias}/next")
    assert (source.url, source.final_url) == (url, f"{faults.alias}/final")


@pytest.mark.parametrize(("hops", "allowed"), [(5, True), (6, False)])
def test_redirects_have_a_limit(
    faults: FaultServer, kept: Kept, client: PatientClient, hops: int, allowed: bool
) -> None:
    for number in range(hops):
        faults.on(f"/{number}", redirect(f"/{number + 1}"))
    faults.on(f"/{hops}", file(BODY))

    if allowed:
        assert fetch(kept, client, f"{faults.url}/0").attempts == hops + 1
    else:
        with pytest.raises(RedirectError, match="more than 5"):
            fetch(kept, client, f"{faults.url}/0")


def test_a_redirect_body_without_end_is_not_read(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    def behave(exchange: Any) -> None:
        exchange.head(302, {"Location": "/final"})
        exchange.drip(b"x" * 65536, 0)

    url = faults.on("/data", behave)
    faults.on("/final", file(BODY))

    assert fetch(kept, client, url).bytes_in == len(BODY)


def test_a_compressed_file_is_kept_as_it_came(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    packed = gzip.compress(BODY, mtime=0)
    url = faults.on("/data", ok(packed, Content_Encoding="gzip"))

    result = fetch(kept, client, url)

    assert faults.requests[0].headers["accept-encoding"] == "identity"
    assert kept.store.read_blob(result.blob.digest) == packed
    assert manifest_of(kept, result).source.content_encoding == "gzip"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"12345", b"1234", id="more than announced"),
        pytest.param(b"1234", b"1234", id="as announced"),
    ],
)
def test_what_follows_the_announced_length_is_no_part_of_the_body(
    faults: FaultServer, kept: Kept, client: PatientClient, body: bytes, expected: bytes
) -> None:
    url = faults.on("/data", raw(HEAD + b"Content-Length: 4\r\n\r\n" + body))

    assert kept.store.read_blob(fetch(kept, client, url).blob.digest) == expected


def test_an_empty_file_may_be_allowed(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    result = fetch(kept, client, faults.on("/data", ok(b"")), require_nonempty=False)

    assert result.blob.size == 0


def test_one_connection_serves_several_requests(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    connections: list[object] = []

    def noting(behaviour: Behaviour) -> Callable[[Any], None]:
        def behave(exchange: Any) -> None:
            connections.append(exchange.connection.fileno())
            behaviour(exchange)

        return behave

    url = faults.on("/data", noting(file(BODY)))
    for _ in range(3):
        fetch(kept, client, url)

    assert len(connections) == 3
    assert len(set(connections)) == 1
