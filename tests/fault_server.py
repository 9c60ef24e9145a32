"""An HTTP server on loopback that misbehaves on demand, byte by byte over real sockets.

A path is given behaviours: one per request, the last of them for all that follow. A behaviour is a
function of an `Exchange`; those that are needed often are made by the functions below.
"""

from __future__ import annotations

import hashlib
import socket
import socketserver
import struct
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self

HeaderValues = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Request:
    """What a client asked: path with query, and its headers by lower-case name."""

    path: str
    headers: Mapping[str, str]


@dataclass
class Exchange:
    """One request and the socket to answer on."""

    request: Request
    connection: socket.socket
    stopping: threading.Event
    keep_alive: bool = False

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def head(self, status: int, headers: HeaderValues) -> None:
        reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}".encode()]
        for name, value in headers.items():
            text = value if isinstance(value, bytes) else value.encode("latin-1")
            lines.append(name.encode() + b": " + text)
        self.send(b"\r\n".join(lines) + b"\r\n\r\n")

    def respond(self, status: int, headers: HeaderValues, body: bytes = b"") -> None:
        """Answer as a sound server does; the connection stays open."""
        self.head(status, {"Content-Length": str(len(body)), **headers})
        self.send(body)
        self.keep_alive = True

    def reset(self) -> None:
        """End with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def drip(self, piece: bytes, pause_s: float) -> None:
        """Send a piece again and again until the client or the server has had enough."""
        while not self.stopping.wait(pause_s):
            self.send(piece)


Behaviour = Callable[[Exchange], None]


def repr_digest(body: bytes) -> str:
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def ok(body: bytes, **headers: str | bytes) -> Behaviour:
    """Answer 200; a header's name is given with underscores."""
    return status(200, body, **headers)


def status(code: int, body: bytes = b"", **headers: str | bytes) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.respond(code, named, body)


def redirect(target: str, code: int = 302) -> Behaviour:
    return status(code, b"moved", Location=target)


def file(body: bytes, etag: str | None = '"v1"', **headers: str | bytes) -> Behaviour:
    """Serve a file soundly: validators, 304, ranges."""
    return cut(body, None, etag, **headers)


def cut(
    body: bytes, at: int | None, etag: str | None = '"v1"', **headers: str | bytes
) -> Behaviour:
    """Serve a file and break off after so many bytes of what was asked; never, if None."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    validators = {"ETag": etag} if etag else {}

    def behave(exchange: Exchange) -> None:
        asked = exchange.request.headers
        if etag and asked.get("if-none-match") == etag:
            exchange.respond(304, validators)
            return
        start = _range_start(asked) if asked.get("if-range") == etag else 0
        part = body[start:]
        length = {"Content-Length": str(len(part))}
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        exchange.head(206 if start else 200, {**length, **place, **validators, **named})
        exchange.send(part if at is None else part[:at])
        exchange.keep_alive = at is None

    return behave


def raw(data: bytes, *, then_reset: bool = False) -> Behaviour:
    """Send bytes as they are and close."""

    def behave(exchange: Exchange) -> None:
        exchange.send(data)
        if then_reset:
            exchange.reset()

    return behave


def endless(piece: bytes = b"x" * 65536, *, chunked: bool = False) -> Behaviour:
    """Send without end, as fast as the client reads."""

    def behave(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"} if chunked else {})
        framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
        exchange.drip(framed, 0)

    return behave


def dripping(head: bytes, piece: bytes = b"x", pause_s: float = 0.01) -> Behaviour:
    """Send a head, then a few bytes now and then, without end."""

    def behave(exchange: Exchange) -> None:
        exchange.send(head)
        exchange.drip(piece, pause_s)

    return behave


def silent(head: bytes = b"") -> Behaviour:
    """Send a head, or nothing, and then nothing more."""

    def behave(exchange: Exchange) -> None:
        exchange.send(head)
        exchange.stopping.wait()

    return behave


def _range_start(headers: Mapping[str, str]) -> int:
    value = headers.get("range", "")
    return int(value.removeprefix("bytes=").removesuffix("-")) if value else 0


@dataclass
class FaultServer:
    """The server; a context manager.

    ``url`` and ``alias`` reach it under two host names, 127.0.0.1 and localhost.
    """

    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._routes: dict[str, list[Behaviour]] = {}
        self._stopping = threading.Event()
        self._listener = _Listener(self)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))
        self.port: int = self._listener.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.alias = f"http://localhost:{self.port}"

    def on(self, path: str, *behaviours: Behaviour) -> str:
        """Give a path its behaviours, one per request, and return its address."""
        self._routes[path] = list(behaviours)
        return self.url + path

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange.request)
        path = exchange.request.path
        found = self._routes.get(path) or self._routes.get(path.partition("?")[0])
        if not found:
            exchange.respond(404, {"Content-Type": "text/plain"}, b"not found")
            return
        behaviour = found[0] if len(found) == 1 else found.pop(0)
        behaviour(exchange)

    @property
    def stopping(self) -> threading.Event:
        return self._stopping

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, server: FaultServer) -> None:
        self.fault_server = server
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: _Listener
    request: socket.socket

    def handle(self) -> None:
        stopping = self.server.fault_server.stopping
        self.request.settimeout(5)
        # Head and body go out apart; without this each answer waits 40 ms for a delayed ACK.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.request.makefile("rb") as reader:
            try:
                while asked := _read_request(reader.readline):
                    exchange = Exchange(asked, self.request, stopping)
                    self.server.fault_server.answer(exchange)
                    if not exchange.keep_alive:
                        return
            except (ConnectionError, TimeoutError):
                return  # the client has had enough, as many of the tests want it


def _read_request(readline: Callable[[], bytes]) -> Request | None:
    first = readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Request(first[1], headers)
