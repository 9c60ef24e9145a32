from __future__ import annotations

import logging
import socket
import ssl
import traceback

import pytest
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    ConfigError,
    SourceRejectedError,
    SourceUnavailableError,
    StarterError,
    TooSlowError,
)
from airnub_prefect_starter.core.http import AccessPolicy
from airnub_prefect_starter.core.http.answer import refuse_downgrade
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.http.errors import request_error
from airnub_prefect_starter.core.http.session import MAX_IDLE_SESSIONS, SessionPool
from airnub_prefect_starter.core.sources import AuthHeader, HttpSource
from tests.fault_server import Exchange, FaultServer, ok, redirect, status
from tests.fetch_kit import LOOPBACK, QUICK, PatientClient

SECRET = "s3cr3t-t0ken"  # noqa: S105
AUTH = AuthHeader(secret="the-token")  # noqa: S106 - a name, not a value


def source_at(url: str, auth: AuthHeader | None = AUTH) -> HttpSource:
    return HttpSource(source_id="x", url=url, access=LOOPBACK, limits=QUICK, auth=auth)


def ask(client: HttpClient, url: str, also: str | None = None) -> None:
    with client.open(source_at(url), SecretStr(SECRET)) as session:
        for each in (url, also):
            if each is not None:
                with session.get(each):
                    pass


def test_the_secret_goes_to_its_own_origin_only(faults: FaultServer, client: PatientClient) -> None:
    url = faults.on("/start", redirect("/same"))
    faults.on("/same", redirect(f"{faults.alias}/other"))
    faults.on("/other", redirect(f"{faults.url}/home"))
    faults.on("/home", ok(b"x"))

    ask(client, url, also=f"{faults.alias}/home")

    sent = {
        (request.headers["host"].partition(":")[0], request.path): "authorization"
        in request.headers
        for request in faults.requests
    }
    assert sent == {
        ("127.0.0.1", "/start"): True,
        ("127.0.0.1", "/same"): True,
        ("localhost", "/other"): False,
        ("127.0.0.1", "/home"): False,  # another host chose this address
        ("localhost", "/home"): False,
    }
    assert faults.requests[0].headers["authorization"] == f"Bearer {SECRET}"


def test_cookies_are_never_sent_back(faults: FaultServer, client: PatientClient) -> None:
    url = faults.on("/", ok(b"x", Set_Cookie="id=1; Path=/"))

    ask(client, url, also=url)

    assert all("cookie" not in request.headers for request in faults.requests)


@pytest.mark.parametrize("url", ["https://h/", "HTTPS://h/"])
@pytest.mark.parametrize("target", ["http://h/", "HTTP://other/x"])
def test_encryption_is_not_given_up(url: str, target: str) -> None:
    refuse_downgrade(target, url)
    with pytest.raises(BlockedUrlError, match="not encrypted"):
        refuse_downgrade(url, target)


def test_redirects_may_lead_to_listed_hosts_only(
    faults: FaultServer, client: PatientClient
) -> None:
    url = faults.on("/", redirect(f"{faults.alias}/other"))
    access = LOOPBACK.model_copy(update={"allow_hosts": ("127.0.0.1",)})
    source = HttpSource(source_id="x", url=url, access=access, limits=QUICK)

    with (
        client.open(source) as session,
        pytest.raises(BlockedUrlError, match="localhost"),
        session.get(url),
    ):
        pass


@pytest.mark.parametrize("value", ["", " padded", "a\nX-Evil: 1", "pässword", "t0ken\t"])
def test_a_secret_that_no_header_can_hold(client: PatientClient, value: str) -> None:
    with (
        pytest.raises(ConfigError, match="the-token") as caught,
        client.open(source_at("http://127.0.0.1/"), SecretStr(value)),
    ):
        pass

    assert not value.strip() or value.strip() not in str(caught.value)


def test_a_missing_secret(client: PatientClient) -> None:
    with (
        pytest.raises(ConfigError, match="needs the secret the-token"),
        client.open(source_at("http://127.0.0.1/")),
    ):
        pass


def _reset(exchange: Exchange) -> None:
    exchange.reset()


def _broken(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")


def _no_http(exchange: Exchange) -> None:
    exchange.send(f"{SECRET}\r\n".encode())


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing", SourceRejectedError),
        ("/reset", SourceUnavailableError),
        ("/broken", SourceUnavailableError),
        ("/not-http", StarterError),
        ("/loop", StarterError),
        ("/away", StarterError),
    ],
)
def test_no_error_and_no_log_line_tells_a_secret(
    faults: FaultServer,
    client: PatientClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: type[StarterError],
) -> None:
    query = f"?token={SECRET}"
    faults.on("/reset", _reset)
    faults.on("/broken", _broken)
    faults.on("/not-http", _no_http)
    faults.on("/loop", redirect(f"/loop{query}"))
    faults.on("/away", redirect(f"http://user:{SECRET}@10.0.0.1/{query}"))
    caplog.set_level(logging.DEBUG)

    with (
        client.open(source_at(faults.url), SecretStr(SECRET)) as session,
        pytest.raises(error) as caught,
        session.get(faults.url + path + query) as answer,
    ):
        answer.read_up_to(100)

    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert SECRET in str(faults.requests[0])
    assert SECRET not in told


@pytest.mark.parametrize(
    ("retry_after", "pauses", "attempts"),
    [
        pytest.param("1", [1.0, 1.0, 1.0], 4, id="three times at most"),
        pytest.param("61", [], 1, id="longer than is waited for"),
        pytest.param("", [], 1, id="not said how long"),
        pytest.param("soon", [], 1, id="not said in a way that is known"),
    ],
)
def test_retry_after(
    faults: FaultServer,
    client: PatientClient,
    retry_after: str,
    pauses: list[float],
    attempts: int,
) -> None:
    url = faults.on("/", status(429, Retry_After=retry_after))
    source = source_at(url, auth=None)

    with (
        client.open(source) as session,
        pytest.raises(SourceUnavailableError),
        session.get(url),
    ):
        pass
    assert (client.pauses, session.attempts) == (pauses, attempts)


def test_requests_per_second(faults: FaultServer, client: PatientClient) -> None:
    url = faults.on("/", ok(b"x"))
    limits = QUICK.model_copy(update={"requests_per_second": 0.001})
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=limits)

    with client.open(source) as session:
        for _ in range(2):
            with session.get(url):
                pass

    assert client.pauses == [pytest.approx(1_000, abs=5)]


def test_a_busy_host_is_not_waited_for_without_end(
    faults: FaultServer, client: PatientClient
) -> None:
    url = faults.on("/", ok(b"x"))
    limits = QUICK.model_copy(update={"max_requests_per_host": 1, "total_timeout_s": 0.05})
    source = HttpSource(source_id="x", url=url, access=LOOPBACK, limits=limits)

    with (
        client.open(source) as first,
        client.open(source) as second,
        first.get(url),
        pytest.raises(TooSlowError),
        second.get(url),
    ):
        pass


def test_a_lent_session_is_nobody_elses_and_then_reused() -> None:
    pool = SessionPool()
    policy, other = AccessPolicy(), LOOPBACK
    with pool.lease(policy) as first, pool.lease(policy) as second:
        assert first is not second
    with pool.lease(other) as third:
        assert third not in (first, second)
    with pool.lease(policy) as again:
        assert again in (first, second)
    pool.close()


def test_idle_sessions_are_few() -> None:
    pool = SessionPool()
    for number in range(MAX_IDLE_SESSIONS + 3):
        with pool.lease(AccessPolicy(allow_hosts=(f"h{number}",))) as session:
            first = session if number == 0 else None
    with pool.lease(AccessPolicy(allow_hosts=("h0",))) as again:
        assert again is not first
    pool.close()


def test_a_certificate_that_is_not_trusted_is_permanent() -> None:
    certificate = ssl.SSLCertVerificationError(1, "certificate verify failed")
    certificate.verify_message = "self-signed certificate"
    wrapped = OSError("Max retries exceeded with url: /?token=t0ken", certificate)

    error = request_error(wrapped, "https://h/")

    assert isinstance(error, BlockedUrlError)
    assert "self-signed certificate" in str(error)
    assert "t0ken" not in str(error)


def test_a_timeout_of_the_connection_is_transient() -> None:
    error = request_error(OSError(TimeoutError()), "http://h/")

    assert isinstance(error, SourceUnavailableError)
    assert "in time" in str(error)


def test_an_address_that_answers_nothing_at_all(client: PatientClient) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        source = source_at(url, auth=None)
        with client.open(source) as session, pytest.raises(TooSlowError), session.get(url):
            pass
