from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.k8s.last_runs import Run, last_runs

RUN = {
    "name": "indigo-wren",
    "tags": ["airnub", "department:project_alpha", "stage:ingestion"],
    "state_name": "Failed",
    "start_time": "2026-01-02T03:04:05Z",
    "expected_start_time": "2026-01-02T03:04:00Z",
    "infrastructure_pid": "airnub-dept-project-alpha:indigo-wren-x",
}
WAITING = {
    **RUN,
    "tags": ["stage:ingestion", "category:files", "department:project_alpha", "own"],
    "state_name": "Late",
    "start_time": None,
    "infrastructure_pid": None,
}


class Api(HTTPServer):
    """Answers every POST alike, and keeps the last one.

    With ``tokens``, it accepts no POST without the CSRF token that it gave to that client.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.body = body
        self.path = ""
        self.asked: dict[str, Any] = {}
        self.authorization: str | None = None
        self.tokens: dict[str, str] | None = None
        self.without_tokens = 422

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.path = self.path
        self.server.asked = json.loads(self.rfile.read(length))
        self.server.authorization = self.headers["Authorization"]
        client = self.headers["Prefect-Csrf-Client"]
        tokens = self.server.tokens
        if tokens is not None and self.headers["Prefect-Csrf-Token"] != tokens.get(client, "none"):
            self._answer(403, b"Invalid CSRF token")
        else:
            self._answer(self.server.status, self.server.body)

    def do_GET(self) -> None:
        client = self.path.removeprefix("/api/csrf-token?client=")
        if self.server.tokens is None:
            self._answer(self.server.without_tokens, b"")
        else:
            self.server.tokens[client] = f"token of {client}"
            self._answer(200, json.dumps({"token": self.server.tokens[client]}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def answering(status: int, body: bytes) -> Iterator[Api]:
    with Api(status, body) as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,))
        thread.start()
        yield api
        api.shutdown()
        thread.join()


def test_runs_as_the_api_tells_them() -> None:
    with answering(200, json.dumps([RUN, WAITING]).encode()) as api:
        found = last_runs({"PREFECT_API_URL": api.url}, 2)

    job = "airnub-dept-project-alpha:indigo-wren-x"
    assert found == [
        Run("indigo-wren", "project_alpha/ingestion", "Failed", "2026-01-02T03:04:05Z", job),
        Run("indigo-wren", "project_alpha/ingestion/files", "Late", "2026-01-02T03:04:00Z", ""),
    ]
    assert api.path == "/api/flow_runs/filter"
    assert api.asked["limit"] == 2
    assert api.asked["flow_runs"]["parent_task_run_id"] == {"is_null_": True}


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, None),
        (
            {"PREFECT_API_AUTH_STRING": "user:a:b"},
            f"Basic {base64.b64encode(b'user:a:b').decode()}",
        ),
        ({"PREFECT_API_KEY": "key"}, "Bearer key"),
    ],
    ids=["open", "auth string", "key"],
)
def test_who_asks(environment: dict[str, str], header: str | None) -> None:
    with answering(200, b"[]") as api:
        assert last_runs({"PREFECT_API_URL": api.url, **environment}, 1) == []

    assert api.authorization == header


def test_a_proxy_of_the_person_is_not_asked_for_a_port_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    with answering(200, b"[]") as api:
        assert last_runs({"PREFECT_API_URL": api.url}, 1) == []


def test_a_server_that_protects_against_forged_requests() -> None:
    with answering(200, b"[]") as api:
        api.tokens = {}
        assert last_runs({"PREFECT_API_URL": api.url}, 1) == []


@pytest.mark.parametrize(("status", "fine"), [(404, True), (422, True), (500, False)])
def test_a_server_that_gives_no_tokens(status: int, fine: bool) -> None:
    with answering(200, b"[]") as api:
        api.without_tokens = status
        if fine:
            assert last_runs({"PREFECT_API_URL": api.url}, 1) == []
        else:
            with pytest.raises(PlatformError, match=r"an API|credentials"):
                last_runs({"PREFECT_API_URL": api.url}, 1)


@pytest.mark.parametrize(
    ("status", "body"), [(401, b"Unauthorized"), (500, b""), (200, b"<html>")], ids=str
)
def test_answers_that_are_none(status: int, body: bytes) -> None:
    with answering(status, body) as api, pytest.raises(PlatformError, match=r"an API|credentials"):
        last_runs({"PREFECT_API_URL": api.url}, 1)
