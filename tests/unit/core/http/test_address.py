from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    SourceError,
    SourceUnavailableError,
)
from airnub_prefect_starter.core.http import AccessPolicy
from airnub_prefect_starter.core.http.address import check_host, is_public, resolve
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.http.connection import PacedSocket
from airnub_prefect_starter.core.sources import HttpSource
from tests.fault_server import FaultServer, ok
from tests.fetch_kit import LOOPBACK, QUICK


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *("0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.0.0.8", "192.168.1.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1"),
        *("fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1"),
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


def _answers(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def answer(_host: str, port: int, **_options: object) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_one_bad_address_of_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, "8.8.8.8", "10.0.0.1")

    with pytest.raises(BlockedUrlError, match=r"two\.example \(10\.0\.0\.1\)"):
        resolve("two.example", 443, AccessPolicy())


@pytest.mark.parametrize(
    ("address", "port", "policy", "allowed"),
    [
        pytest.param("8.8.8.8", 443, {}, True, id="https"),
        pytest.param("8.8.8.8", 80, {}, True, id="http"),
        pytest.param("8.8.8.8", 22, {}, False, id="another port"),
        pytest.param("8.8.8.8", 22, {"allow_ports": [22]}, True, id="a listed port"),
        pytest.param("8.8.8.8", 443, {"allow_ports": [22]}, False, id="only listed ports"),
        pytest.param("10.0.0.1", 80, {}, False, id="private"),
        pytest.param("10.0.0.1", 9000, {"allow_networks": ["10.0.0.0/8"]}, True, id="listed"),
        pytest.param("::ffff:10.0.0.1", 80, {}, False, id="private, mapped"),
        pytest.param(
            "::ffff:10.0.0.1", 80, {"allow_networks": ["10.0.0.0/8"]}, True, id="listed, mapped"
        ),
        pytest.param("fe80::1%eth0", 80, {"allow_networks": ["fe80::/10"]}, True, id="scoped"),
        pytest.param("11.0.0.1", 9000, {"allow_networks": ["10.0.0.0/8"]}, False, id="beside"),
        pytest.param(
            "10.0.0.1",
            81,
            {"allow_networks": ["10.0.0.0/8"], "allow_ports": [80]},
            False,
            id="both",
        ),
    ],
)
def test_policy(
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    port: int,
    policy: dict[str, Any],
    allowed: bool,
) -> None:
    _answers(monkeypatch, address)
    given = AccessPolicy.model_validate(policy)

    if allowed:
        assert resolve("host.example", port, given)[0].sockaddr == (address, port)
    else:
        with pytest.raises(BlockedUrlError):
            resolve("host.example", port, given)


def test_only_listed_hosts() -> None:
    policy = AccessPolicy(allow_hosts=("Data.Example",))
    check_host("data.example", policy)

    with pytest.raises(BlockedUrlError, match=r"evil\.example"):
        check_host("evil.example", policy)


@pytest.mark.parametrize("host", ["a" * 70, "a..b", ".."])
def test_a_name_that_can_be_none(host: str) -> None:
    with pytest.raises((BlockedUrlError, OSError)):
        resolve(host, 80, AccessPolicy())


def test_the_answer_that_was_checked_is_the_one_that_is_used(
    faults: FaultServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.on("/", ok(b"reached"))
    real, asked = socket.getaddrinfo, []

    def rebinding(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = f"http://rebinding.example:{faults.port}/"
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=QUICK)

    with client.open(source) as session, session.get(url) as answer:
        assert answer.read(100) == b"reached"
    assert asked == ["rebinding.example"]
    assert faults.requests[0].headers["host"] == f"rebinding.example:{faults.port}"


def test_the_next_address_is_tried_if_the_first_refuses(
    faults: FaultServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.on("/", ok(b"reached"))
    _answers(monkeypatch, "127.0.0.2", "127.0.0.1")
    url = f"http://two.example:{faults.port}/"
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=QUICK)

    with client.open(source) as session, session.get(url) as answer:
        assert answer.status == 200


def test_a_proxy_of_the_environment_is_not_used(
    faults: FaultServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", faults.url)
    url = "http://127.0.0.1:9/"
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=QUICK)

    with client.open(source) as session, pytest.raises(SourceError), session.get(url):
        pass
    assert faults.requests == []


@pytest.mark.parametrize(("alive", "attempts"), [(None, 2), (1, 2)], ids=["all dead", "the second"])
def test_a_name_with_many_addresses_has_one_time_to_connect(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch, alive: int | None, attempts: int
) -> None:
    faults.on("/", ok(b"reached"))
    _answers(monkeypatch, *[f"127.0.0.{number}" for number in range(1, 51)])
    now, tried = [0.0], []
    real = PacedSocket.connect

    def connect(self: PacedSocket, address: tuple[str, int]) -> None:
        tried.append(address)
        if len(tried) - 1 == alive:
            real(self, ("127.0.0.1", address[1]))
            return
        now[0] += min(1.5, self.gettimeout() or 0)
        raise TimeoutError

    monkeypatch.setattr(PacedSocket, "connect", connect)
    client = HttpClient(monotonic=lambda: now[0])
    limits = QUICK.model_copy(update={"rate_window_s": 60})
    url = f"http://many.example:{faults.port}/"
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=limits)

    with client.open(source) as session:
        if alive is None:
            with pytest.raises(SourceUnavailableError, match="in time"), session.get(url):
                pass
        else:
            with session.get(url) as answer:
                assert answer.read_up_to(10) == b"reached"

    client.close()
    assert len(tried) == attempts
