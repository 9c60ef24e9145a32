"""A server in front of the real API, which changes what one or the other answer says."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any


@dataclass
class Manners:
    """What is changed: the time, the version, whom it lets in, and a path that never answers."""

    ahead: timedelta = timedelta()
    version: bytes | None = None
    authorization: str | None = None
    silent: str | None = None


class Front(ThreadingHTTPServer):
    """Passes requests on to a port of this machine."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.manners = Manners()
        self.closing = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class _Handler(BaseHTTPRequestHandler):
    server: Front

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        manners = self.server.manners
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if manners.silent and manners.silent in self.path:
            self.server.closing.wait()
        allowed = manners.authorization in {None, self.headers["Authorization"]}
        if not allowed and not self.path.endswith("/health"):
            self._answer(401, b"{}")
        elif manners.version and self.path.endswith("/admin/version"):
            self._answer(200, manners.version)
        else:
            self._answer(*self._asked(body))

    def _asked(self, body: bytes) -> tuple[int, bytes]:
        real = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        real.request(self.command, self.path, body, {"Content-Type": "application/json"})
        answer = real.getresponse()
        content = answer.read()
        real.close()
        return answer.status, content

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response_only(status)
        moment = datetime.now(UTC) + self.server.manners.ahead
        self.send_header("Date", format_datetime(moment, usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def in_front_of(port: int) -> Iterator[Front]:
    with Front(port) as front:
        thread = threading.Thread(target=front.serve_forever, args=(0.01,))
        thread.start()
        yield front
        front.closing.set()
        front.shutdown()
        thread.join()
