from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airnub_prefect_starter.common.errors import BlockedUrlError, TooSlowError
from airnub_prefect_starter.core.http import AccessPolicy
from airnub_prefect_starter.core.http import session as sessions
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.sources import HttpSource
from tests.fetch_kit import LOOPBACK, QUICK

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sessions._tls.cache_clear()
    yield
    sessions._tls.cache_clear()


Serve = Callable[[ssl.SSLSocket], None]


@pytest.fixture
def serve(certificate: Path) -> Iterator[Callable[[Serve], str]]:
    """Answer connections over TLS; gives the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        threads: list[threading.Thread] = []

        def run(answer: Serve) -> None:
            while not stopping.is_set():
                try:
                    plain, _ = listener.accept()
                except TimeoutError:
                    continue
                try:
                    plain.settimeout(2)
                    with context.wrap_socket(plain, server_side=True) as encrypted:
                        encrypted.recv(65536)
                        answer(encrypted)
                except OSError:
                    plain.close()  # the client refused, or has had enough

        def start(answer: Serve) -> str:
            threads.append(threading.Thread(target=run, args=(answer,)))
            threads[-1].start()
            return f"https://localhost:{listener.getsockname()[1]}/"

        yield start
        stopping.set()
        for thread in threads:
            thread.join()


def read(client: HttpClient, url: str, access: AccessPolicy = LOOPBACK) -> bytes:
    source = HttpSource(source_id="x", url=url, access=access, limits=QUICK)
    with client.open(source) as session, session.get(url) as answer:
        return answer.read_up_to(100)


@pytest.mark.usefixtures("trusted")
def test_a_trusted_certificate(client: HttpClient, serve: Callable[[Serve], str]) -> None:
    assert read(client, serve(lambda to: to.sendall(HEAD + b"body"))) == b"body"


def test_a_certificate_that_is_not_trusted(
    client: HttpClient, serve: Callable[[Serve], str]
) -> None:
    with pytest.raises(BlockedUrlError, match="not trusted"):
        read(client, serve(lambda to: to.sendall(HEAD + b"body")))


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name(client: HttpClient, serve: Callable[[Serve], str]) -> None:
    url = serve(lambda to: to.sendall(HEAD + b"body")).replace("localhost", "127.0.0.1")

    with pytest.raises(BlockedUrlError, match="not trusted"):
        read(client, url)


@pytest.mark.usefixtures("trusted")
def test_addresses_are_checked(client: HttpClient, serve: Callable[[Serve], str]) -> None:
    url = serve(lambda to: to.sendall(HEAD + b"body"))

    with pytest.raises(BlockedUrlError, match="not a public address"):
        read(client, url, AccessPolicy())


def _drip(to: ssl.SSLSocket) -> None:
    to.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        to.sendall(b"x")
        threading.Event().wait(0.01)


def _silence(to: ssl.SSLSocket) -> None:
    to.sendall(HEAD + b"bo")
    to.recv(1)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("answer", [_drip, _silence])
def test_receives_are_paced(
    client: HttpClient, serve: Callable[[Serve], str], answer: Serve
) -> None:
    with pytest.raises(TooSlowError):
        read(client, serve(answer))
