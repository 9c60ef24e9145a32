"""A Prefect API of fixed answers, and a context that means it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.doctor.context import (
    Commands,
    Context,
    Platform,
    Server,
    Thresholds,
)
from airnub_prefect_starter.core.departments import load_catalog

COMMANDS = Commands(
    start="start it", update="update it", register="register it", worker="work on {pool}"
)


@dataclass
class Manners:
    """What the API answers: path → JSON; paths that are missing are answered 404."""

    answers: dict[str, Any] = field(default_factory=lambda: {"GET /health": True})
    status: dict[str, int] = field(default_factory=dict)
    date: str | None = None
    asked: list[tuple[str, Any]] = field(default_factory=list)


class FakeApi(ThreadingHTTPServer):
    """Answers by its manners."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manners = Manners()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class _Handler(BaseHTTPRequestHandler):
    server: FakeApi

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("POST", json.loads(body))

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.manners.date or super().date_time_string(timestamp)

    def _answer(self, method: str, body: Any) -> None:
        manners = self.server.manners
        name = f"{method} {self.path.removeprefix('/api').partition('?')[0]}"
        manners.asked.append((name, body))
        known = name in manners.answers
        content = json.dumps(_of_state(manners.answers.get(name), body)).encode()
        self.send_response(manners.status.get(name, 200 if known else 404))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


def _of_state(answer: Any, body: Any) -> Any:
    """Keep of some runs those in the states that were asked for."""
    wanted = ((body or {}).get("flow_runs") or {}).get("state")
    if wanted is None:
        return answer
    return [each for each in answer if each["state"]["type"] in wanted["type"]["any_"]]


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    with FakeApi() as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,))
        thread.start()
        yield api
        api.shutdown()
        thread.join()


def context_of(
    settings: Settings,
    url: str = "http://127.0.0.1:9/api",
    *,
    thresholds: Thresholds | None = None,
    environment: Mapping[str, str] | None = None,
) -> Context:
    """Mean a server at an address."""
    server = Server({"PREFECT_API_URL": url, **(environment or {})}, settings)
    platform = Platform(COMMANDS, lambda _: server)
    return Context(settings, load_catalog(settings), platform, thresholds or Thresholds())


def ago(seconds: float) -> str:
    """Give a time of the past as the API writes it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
