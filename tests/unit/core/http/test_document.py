from __future__ import annotations

import gzip
import zlib

import pytest

from airnub_prefect_starter.common.errors import (
    DigestMismatchError,
    PayloadError,
    StarterError,
    TooLargeError,
)
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.http.document import Document, decode, read_document
from airnub_prefect_starter.core.sources import HttpSource
from tests.fault_server import Behaviour, FaultServer, endless, ok, raw, repr_digest
from tests.fetch_kit import LOOPBACK, QUICK

TEXT = b'{"a": 1}' * 100
LIMIT = 10_000


def _bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def read(faults: FaultServer, client: HttpClient, behaviour: Behaviour) -> Document:
    url = faults.on("/", behaviour)
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=QUICK)
    with client.open(source) as session:
        found = read_document(session, url, LIMIT)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("encoding", "wire"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", _bare_deflate(TEXT)),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "deflate", "bare deflate"],
)
def test_what_was_compressed_unasked_is_undone(
    faults: FaultServer, client: HttpClient, encoding: str, wire: bytes
) -> None:
    document = read(
        faults, client, ok(wire, Content_Encoding=encoding, Repr_Digest=repr_digest(wire))
    )

    assert document.body == TEXT
    assert document.about.content_encoding is None
    assert document.about.claimed_digest is None


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(ok(b"x" * (LIMIT + 1)), TooLargeError, id="too large"),
        pytest.param(endless(), TooLargeError, id="endless"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"), TooLargeError, id="announced"
        ),
        pytest.param(
            ok(gzip.compress(b"0" * 100_000_000), Content_Encoding="gzip"),
            TooLargeError,
            id="gzip bomb",
        ),
        pytest.param(
            ok(gzip.compress(TEXT)[:-9], Content_Encoding="gzip"), PayloadError, id="cut gzip"
        ),
        pytest.param(ok(TEXT, Content_Encoding="gzip"), PayloadError, id="not gzip"),
        pytest.param(ok(TEXT, Content_Encoding="deflate"), PayloadError, id="not deflate"),
        pytest.param(
            ok(gzip.compress(TEXT) * 2, Content_Encoding="gzip"), PayloadError, id="more after it"
        ),
        pytest.param(ok(TEXT, Content_Encoding="br"), PayloadError, id="unknown encoding"),
        pytest.param(ok(TEXT, Content_Encoding="gzip, gzip"), PayloadError, id="twice"),
        pytest.param(ok(TEXT, Repr_Digest=repr_digest(b"")), DigestMismatchError, id="digest"),
    ],
)
def test_documents_that_are_refused(
    faults: FaultServer, client: HttpClient, behaviour: Behaviour, expected: type[StarterError]
) -> None:
    with pytest.raises(expected):
        read(faults, client, behaviour)


def test_exactly_the_limit_is_allowed() -> None:
    assert decode(gzip.compress(TEXT), "gzip", "http://h/", len(TEXT)) == TEXT
