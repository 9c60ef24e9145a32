from __future__ import annotations

import hashlib
from http.client import HTTPConnection, IncompleteRead

import pytest
import requests

from airnub_prefect_starter.demo import SiteOptions, SourceServer

PLANES = "/files/planes.csv"
PLANES_SHA256 = "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a"


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
