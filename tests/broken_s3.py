"""An S3 server on loopback that misbehaves as it is told to.

The manners of its ``FakeS3`` say what it does throughout; ``rules`` answer single requests before
it does. What it was asked is in ``requests``.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fake_s3 import Answer, FakeS3, Request

BUCKET = "bucket"

Rule = Callable[[Request], Answer | None]


def always(name: str, answer: Answer) -> Rule:
    """Give this answer to an operation, such as ``PUT Object``."""
    return lambda request: answer if request.name == name else None


def times(count: int, rule: Rule) -> Rule:
    """Let a rule answer so many times, then no more."""
    left, lock = [count], Lock()

    def limited(request: Request) -> Answer | None:
        answer = rule(request)
        with lock:
            if answer is None or left[0] == 0:
                return None
            left[0] -= 1
        return answer

    return limited


class BrokenS3:
    """The server; a context manager."""

    def __init__(self) -> None:
        self.reset()
        self._lock = Lock()
        self._server = _Server(self)

    def reset(self) -> None:
        """Forget everything, and behave."""
        self.s3 = FakeS3()
        self.rules: list[Rule] = []
        self.requests: list[Request] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def names(self) -> list[str]:
        """The operations that were asked for, in order."""
        return [each.name for each in self.requests]

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
        for rule in self.rules:
            if (found := rule(request)) is not None:
                return found
        with self._lock:
            return self.s3.run(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, broken: BrokenS3) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.broken = broken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body would wait for each other
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        request = Request(
            method=self.command,
            key=unquote(parts.path).lstrip("/").partition("/")[2],
            query={
                name: values[0]
                for name, values in parse_qs(parts.query, keep_blank_values=True).items()
            },
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self._send(self.server.broken.answer(request))

    def _send(self, answer: Answer) -> None:
        if answer.drop:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body[: answer.cut_at])
        self.close_connection = self.close_connection or answer.cut_at is not None

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def date_time_string(self, timestamp: float | None = None) -> str:
        del timestamp
        return format_datetime(self.server.broken.s3.now(), usegmt=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
