from __future__ import annotations

import secrets
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
import requests

from airnub_prefect_starter.demo import SiteOptions, SourceServer

TOKEN = secrets.token_hex(16)


@pytest.fixture(scope="session")
def server() -> Iterator[SourceServer]:
    options = SiteOptions(token=TOKEN, enable_control=True, drip_s=0.02)
    with SourceServer(options=options) as running:
        yield running


@pytest.fixture(scope="session")
def url(server: SourceServer) -> str:
    return server.url


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.fixture
def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def connection(server: SourceServer) -> Iterator[HTTPConnection]:
    opened = HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield opened
    opened.close()
