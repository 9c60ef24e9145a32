"""Connections that check where they lead to and how fast the other side answers.

They are where the checks belong: below redirects, pools and retries, and after the one name
resolution whose result is connected to, so that a second DNS answer changes nothing.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from airnub_prefect_starter.core.http.address import Endpoint, resolve
from airnub_prefect_starter.core.http.pace import Pace
from airnub_prefect_starter.core.http.policy import AccessPolicy


@dataclass
class Gate:
    """What the connections of one session obey.

    Args:
        policy: Where they may lead to.
        pace: The limits of the request that is under way.
    """

    policy: AccessPolicy
    pace: Pace | None = None


class PacedSocket(socket.socket):
    """A socket whose every receive is subject to the pace of the request under way."""

    gate: Gate | None = None

    def recv_into(self, *args: Any, **options: Any) -> int:
        """Receive as any socket does.

        Raises:
            TooSlowError: Time is up. A retry may help.
        """
        return _receive(self, super().recv_into, *args, **options)


class PacedTLSSocket(ssl.SSLSocket):
    """The same over TLS."""

    gate: Gate | None = None

    def recv_into(self, *args: Any, **options: Any) -> int:
        """Receive as any socket does.

        Raises:
            TooSlowError: Time is up. A retry may help.
        """
        return _receive(self, super().recv_into, *args, **options)


def _receive(paced: PacedSocket | PacedTLSSocket, recv: Any, *args: Any, **options: Any) -> int:
    pace = paced.gate.pace if paced.gate else None
    if pace is None:
        return int(recv(*args, **options))
    patience_s = pace.patience_s()
    if paced.gettimeout() != patience_s:
        paced.settimeout(patience_s)
    try:
        count = int(recv(*args, **options))
    except TimeoutError:
        pace.remaining_s()
        raise pace.silence() from None
    pace.received(count)
    return count


class _Response(http.client.HTTPResponse):
    def _read_next_chunk_size(self) -> int:
        # CPython accepts a negative size and would read to the end of the stream into memory.
        size = int(super()._read_next_chunk_size())  # type: ignore[misc]
        if size < 0:
            raise http.client.IncompleteRead(b"")
        return size


class GuardedHTTPConnection(HTTPConnection):
    """A connection that goes only where its gate allows."""

    response_class = _Response

    def __init__(self, *args: Any, gate: Gate, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gate = gate

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._dns_host, self._gate)


class GuardedHTTPSConnection(HTTPSConnection):
    """The same over TLS."""

    response_class = _Response

    def __init__(self, *args: Any, gate: Gate, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gate = gate

    def connect(self) -> None:
        """Connect and shake hands; from then on receives are paced."""
        super().connect()
        if isinstance(self.sock, PacedTLSSocket):
            self.sock.gate = self._gate

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._dns_host, self._gate)


class GuardedHTTPPool(HTTPConnectionPool):
    """A pool of guarded connections; it hands them its ``gate`` keyword."""

    ConnectionCls = GuardedHTTPConnection


class GuardedHTTPSPool(HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = GuardedHTTPSConnection


def _connect(connection: HTTPConnection, host: str, gate: Gate) -> PacedSocket:
    # urllib3's own errors, as its pools expect them from here.
    try:
        endpoints = resolve(host, connection.port or connection.default_port, gate.policy)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    try:
        opened = _first_that_answers(endpoints, connection, gate.pace)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "timed out") from error
    except OSError as error:
        raise NewConnectionError(connection, f"{error}") from error
    opened.gate = gate
    return opened


def _first_that_answers(
    endpoints: list[Endpoint], connection: HTTPConnection, pace: Pace | None
) -> PacedSocket:
    failure = OSError("no address")
    for endpoint in endpoints:
        try:
            patience_s = pace.connect_patience_s() if pace else connection.timeout
            return _open(endpoint, connection, patience_s)
        except OSError as error:
            failure = error  # that of the last endpoint stands for all
    raise failure


def _open(endpoint: Endpoint, connection: HTTPConnection, patience_s: float | None) -> PacedSocket:
    opened = PacedSocket(endpoint.family, endpoint.kind, endpoint.protocol)
    try:
        for option in connection.socket_options or ():
            opened.setsockopt(*option)
        opened.settimeout(patience_s)
        opened.connect(endpoint.sockaddr)
    except OSError:
        opened.close()
        raise
    return opened
