from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

import pytest
import requests

from airnub_prefect_starter.common.errors import ConfigError, PlatformError, PortInUseError
from airnub_prefect_starter.demo import SiteOptions, SourceServer

PLANES = "/files/planes.csv"
PLANES_SHA256 = "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a"
PLANES_BYTES = 247198


@pytest.fixture
def connection(server: SourceServer) -> Iterator[HTTPConnection]:
    opened = HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield opened
    opened.close()


def every_path(base: str, session: requests.Session) -> list[str]:
    front = session.get(f"{base}/").text
    found = re.findall(r'href="([^"]+)"', front)
    return [f"/{each}" for each in found if not each.startswith("flaky/")]


def fetch(
    base: str, session: requests.Session, path: str, bearer: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    response = session.get(base + path, headers=bearer)
    headers = {name: value for name, value in response.headers.items() if name != "Date"}
    return response.status_code, response.content, headers


def test_two_servers_on_two_ports_give_the_same_bytes_and_headers(
    server: SourceServer, session: requests.Session, bearer: dict[str, str]
) -> None:
    token = bearer["Authorization"].removeprefix("Bearer ")
    with SourceServer(options=SiteOptions(token=token, drip_s=0)) as other:
        assert other.port != server.port
        paths = [*every_path(server.url, session), "/"]
        assert len(paths) > 30
        for path in paths:
            first = fetch(server.url, session, path, bearer)
            assert first[0] == 200, path
            assert first == fetch(other.url, session, path, bearer), path
            assert b"127.0.0.1" not in first[1]
            assert b"localhost" not in first[1]
            assert b"http://" not in first[1]


def test_files_have_the_sums_that_the_server_publishes(url: str, session: requests.Session) -> None:
    lines = session.get(f"{url}/files/SHA256SUMS").text.splitlines()
    assert len(lines) == 16
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256(session.get(f"{url}/files/{name}").content).hexdigest() == digest


def test_monthly_files_hold_every_flight_once(url: str, session: requests.Session) -> None:
    months = [session.get(f"{url}/files/flights/2013-{m:02}.csv").content for m in range(1, 13)]
    headers = {body.split(b"\n", 1)[0] for body in months}
    assert len(headers) == 1
    assert sum(body.count(b"\n") - 1 for body in months) == 336_776
    assert [body.split(b"\n", 2)[1].split(b",")[1] for body in months] == [
        str(month).encode() for month in range(1, 13)
    ]


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


def test_pages_of_a_collection_share_their_entity_tag(url: str, session: requests.Session) -> None:
    tags = {session.head(f"{url}/api/airports?page={page}").headers["ETag"] for page in (1, 2, 3)}
    assert len(tags) == 1


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
    ("headers", "error"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"Authorization": "Basic eDp5"}, "", id="other scheme"),
        pytest.param({"Authorization": "Bearer"}, "", id="no token"),
        pytest.param({"Authorization": "Bearer wrong"}, "invalid_token", id="wrong token"),
        pytest.param({"Authorization": "Bearer ü".encode()}, "invalid_token", id="not ascii"),
    ],
)
def test_private_api_refuses(
    headers: dict[str, str | bytes], error: str, url: str, session: requests.Session
) -> None:
    response = session.get(f"{url}/private/api/delays", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert ("error=" in response.headers["WWW-Authenticate"]) == bool(error)
    assert response.json()["status"] == 401


def test_private_api_lets_the_token_in(
    url: str, session: requests.Session, bearer: dict[str, str]
) -> None:
    answer = session.get(f"{url}/private/api/delays", headers=bearer).json()
    assert answer["total"] == len(answer["items"]) == 185
    assert sum(row["flights"] for row in answer["items"]) == 336_776


def test_private_api_without_a_configured_token_is_closed(session: requests.Session) -> None:
    with SourceServer() as closed:
        for given in ("", "Bearer ", "Bearer None"):
            response = session.get(
                f"{closed.url}/private/api/delays", headers={"Authorization": given}
            )
            assert response.status_code == 401


def test_robots_and_the_pages_it_covers(url: str, session: requests.Session) -> None:
    rules = RobotFileParser()
    rules.parse(session.get(f"{url}/robots.txt").text.splitlines())
    start = f"{url}/pages/index.html"
    links = {
        urljoin(start, each) for each in re.findall(r'href="([^"]+)"', session.get(start).text)
    }
    assert {session.get(link).status_code for link in links} == {200}
    refused = {link for link in links if not rules.can_fetch("any", link)}
    assert refused == {f"{url}/pages/private/delays.html"}


def test_pages_say_their_charset(url: str, session: requests.Session) -> None:
    airlines = session.get(f"{url}/pages/airlines.html")
    assert airlines.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Données" in airlines.content.decode()
    assert "336776" in airlines.text
    notes = session.get(f"{url}/pages/notes.html")
    assert notes.headers["Content-Type"] == "text/html"
    assert '<meta charset="iso-8859-1">' in notes.content.decode("iso-8859-1")
    assert "météo" in notes.content.decode("iso-8859-1")


def test_airport_pages_add_up(url: str, session: requests.Session) -> None:
    total = 0
    for code in ("EWR", "JFK", "LGA"):
        page = session.get(f"{url}/pages/airports/{code}.html").text
        rows = re.findall(r"<tr><td>\w+</td><td>(\d+)</td><td>\d+</td></tr>", page)
        assert len(rows) == 12
        total += sum(int(each) for each in rows)
    assert total == 336_776


def test_flaky_file_recovers_by_retry_and_resume_in_every_episode(
    url: str, session: requests.Session, connection: HTTPConnection
) -> None:
    target = "/flaky/files/airports.csv"
    expected = session.get(f"{url}/files/airports.csv")
    for _episode in range(2):
        busy = session.get(url + target)
        assert busy.status_code == 503
        assert busy.headers["Retry-After"] == "1"
        connection.request("GET", target)
        with pytest.raises(IncompleteRead) as cut:
            connection.getresponse().read()
        first = cut.value.partial
        connection.close()
        assert len(first) == len(expected.content) // 2
        rest = session.get(
            url + target,
            headers={"Range": f"bytes={len(first)}-", "If-Range": expected.headers["ETag"]},
        )
        assert rest.status_code == 206
        assert first + rest.content == expected.content
        known = {"If-None-Match": expected.headers["ETag"]}
        assert session.get(url + target, headers=known).status_code == 304


def test_slow_file_arrives_whole(url: str, session: requests.Session) -> None:
    assert hashlib.sha256(session.get(f"{url}/slow{PLANES}").content).hexdigest() == PLANES_SHA256


def test_stopping_ends_a_slow_body_and_its_thread() -> None:
    before = set(threading.enumerate())
    running = SourceServer(options=SiteOptions(drip_s=3600)).start()
    client = HTTPConnection("127.0.0.1", running.port, timeout=10)
    client.request("GET", f"/slow{PLANES}")
    response = client.getresponse()
    assert response.read(100)
    running.stop()
    with pytest.raises((IncompleteRead, ConnectionError)):
        response.read()
    client.close()
    assert set(threading.enumerate()) <= before


def test_outage_by_control_and_its_end(url: str, session: requests.Session) -> None:
    assert session.post(f"{url}/control/break?path=/files/weather.csv").status_code == 204
    known = {"If-None-Match": "*"}
    assert session.get(f"{url}/files/weather.csv", headers=known).status_code == 503
    assert session.get(f"{url}/files/airlines.csv").status_code == 200
    assert session.post(f"{url}/control/heal").status_code == 204
    assert session.get(f"{url}/files/weather.csv").status_code == 200


def test_outage_by_option_and_by_method(session: requests.Session) -> None:
    with SourceServer(options=SiteOptions(broken=("/api/",))) as server:
        assert session.get(f"{server.url}/api/airlines").status_code == 503
        server.break_path("/files/airlines.csv")
        server.heal("/api/")
        assert session.get(f"{server.url}/api/airlines").status_code == 200
        assert session.get(f"{server.url}/files/airlines.csv").status_code == 503
        server.heal()
        assert session.get(f"{server.url}/files/airlines.csv").status_code == 200


def test_control_does_not_exist_unless_enabled(session: requests.Session) -> None:
    with SourceServer() as server:
        assert session.post(f"{server.url}/control/break?path=/").status_code == 404
        assert session.get(f"{server.url}/files/airlines.csv").status_code == 200


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


def test_client_that_leaves_early_disturbs_nobody(
    server: SourceServer, session: requests.Session, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /files/weather.csv HTTP/1.1\r\n\r\n")
    assert session.get(f"{server.url}/health").text == "ok\n"
    assert "Traceback" not in capfd.readouterr().err


def test_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"Port {port} on 127.0.0.1 is taken"):
            SourceServer(port).start()


def test_foreign_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Cannot listen on 192\.0\.2\.1:0"):
        SourceServer(host="192.0.2.1").start()


def test_server_that_is_not_started_has_no_address() -> None:
    idle = SourceServer()
    idle.stop()
    with pytest.raises(PlatformError, match="not started"):
        _ = idle.url


def test_container_address_is_reached_by_loopback(session: requests.Session) -> None:
    with SourceServer(host="0.0.0.0") as server:  # noqa: S104
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert session.get(f"{server.url}/health").status_code == 200
