from __future__ import annotations

import socket
import threading
from http.client import HTTPConnection, IncompleteRead

import pytest
import requests

from airnub_prefect_starter.common.errors import ConfigError, PlatformError, PortInUseError
from airnub_prefect_starter.demo import SiteOptions, SourceServer

PLANES = "/files/planes.csv"


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
