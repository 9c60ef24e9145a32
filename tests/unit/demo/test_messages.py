from __future__ import annotations

import base64
import hashlib
import re
from http.client import HTTPConnection

import pytest
import requests

PLANES = "/files/planes.csv"
PLANES_SHA256 = "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a"
PLANES_BYTES = 247198


def test_file_headers(url: str, session: requests.Session) -> None:
    response = session.get(url + PLANES)
    digest = hashlib.sha256(response.content).digest()
    assert digest.hex() == PLANES_SHA256
    assert response.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert response.headers["Content-Disposition"] == 'attachment; filename="planes.csv"'
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Last-Modified"] == "Wed, 01 Jan 2014 00:00:00 GMT"
    assert re.fullmatch(r'"[0-9a-f]{32}"', response.headers["ETag"])
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("path", [PLANES, "/api/planes", "/pages/index.html", "/health"])
def test_head_has_the_headers_of_get_and_no_body(
    path: str, url: str, session: requests.Session
) -> None:
    got = session.get(url + path)
    head = session.head(url + path)
    assert head.content == b""
    assert head.status_code == 200
    assert {**got.headers, "Date": ""} == {**head.headers, "Date": ""}


@pytest.mark.parametrize(
    "path",
    [
        PLANES,
        "/slow/files/planes.csv",
        "/flaky/files/planes.csv",
        "/api/weather",
        "/robots.txt",
        "/pages/airlines.html",
        "/",
    ],
)
def test_known_bytes_are_not_sent_again(path: str, url: str, session: requests.Session) -> None:
    known = session.head(url + path).headers
    by_tag = session.get(url + path, headers={"If-None-Match": f'"other", W/{known["ETag"]}'})
    by_date = session.get(url + path, headers={"If-Modified-Since": known["Last-Modified"]})
    for response in (by_tag, by_date):
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["ETag"] == known["ETag"]
        assert "Content-Length" not in response.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        pytest.param("bytes=0-0", 0, 1, id="first byte"),
        pytest.param("bytes=100-199", 100, 200, id="middle"),
        pytest.param("bytes=247000-", 247000, PLANES_BYTES, id="to the end"),
        pytest.param("bytes=247000-999999", 247000, PLANES_BYTES, id="past the end"),
        pytest.param("bytes=-10", PLANES_BYTES - 10, PLANES_BYTES, id="suffix"),
    ],
)
def test_range(asked: str, start: int, stop: int, url: str, session: requests.Session) -> None:
    whole = session.get(url + PLANES)
    part = session.get(url + PLANES, headers={"Range": asked, "If-Range": whole.headers["ETag"]})
    assert part.status_code == 206
    assert part.content == whole.content[start:stop]
    assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{PLANES_BYTES}"
    assert part.headers["Repr-Digest"] == whole.headers["Repr-Digest"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Range": "bytes=5-4"}, id="backwards"),
        pytest.param({"Range": "bytes=-"}, id="empty"),
        pytest.param({"Range": "bytes=0-1,5-6"}, id="several"),
        pytest.param({"Range": "lines=0-1"}, id="other unit"),
        pytest.param({"Range": f"bytes={'9' * 5000}-"}, id="endless digits"),
        pytest.param({"Range": "bytes=0-1", "If-Range": '"other"'}, id="changed since"),
        pytest.param(
            {"Range": "bytes=0-1", "If-Range": f'W/"{PLANES_SHA256[:32]}"'}, id="weak tag"
        ),
    ],
)
def test_range_that_does_not_apply_gives_the_whole(
    headers: dict[str, str], url: str, session: requests.Session
) -> None:
    response = session.get(url + PLANES, headers=headers)
    assert response.status_code == 200
    assert len(response.content) == PLANES_BYTES


@pytest.mark.parametrize("asked", [f"bytes={PLANES_BYTES}-", "bytes=-0"])
def test_range_outside_the_file(asked: str, url: str, session: requests.Session) -> None:
    response = session.get(url + PLANES, headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{PLANES_BYTES}"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/files/none.csv", 404, id="unknown file"),
        pytest.param("GET", "/files/../../etc/passwd", 404, id="dots"),
        pytest.param("GET", "/flaky/files/none.csv", 404, id="unknown behind a fault"),
        pytest.param("POST", "/files/planes.csv", 405, id="write"),
        pytest.param("DELETE", "/files/planes.csv", 501, id="unknown method"),
        pytest.param("GET", "/control/heal", 405, id="control by GET"),
        pytest.param("POST", "/control/break", 400, id="break nothing"),
        pytest.param("POST", "/control/other", 400, id="unknown control"),
    ],
)
def test_wrong_requests(method: str, path: str, status: int, connection: HTTPConnection) -> None:
    connection.request(method, path)
    assert connection.getresponse().status == status


def test_request_body_does_not_become_the_next_request(
    connection: HTTPConnection,
) -> None:
    connection.request("POST", "/files/planes.csv", body=b"GET /health HTTP/1.1\r\n\r\n")
    response = connection.getresponse()
    assert response.status == 405
    assert response.getheader("Connection") == "close"


def test_connection_is_kept_for_the_next_request(
    connection: HTTPConnection,
) -> None:
    for path in (PLANES, "/api/airlines", "/files/none.csv", "/health"):
        connection.request("GET", path)
        opened = connection.sock
        connection.getresponse().read()
        assert connection.sock is opened
