"""A run that a worker has started waits for an API that restarts; others fail at once."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.client.orchestration import SyncPrefectClient

from airnub_prefect_starter.control.probes import free_port
from airnub_prefect_starter.tasks.api_outages import wait_out_outages

CLIENTS = (PrefectHttpxAsyncClient, PrefectHttpxSyncClient)


class Hello(BaseHTTPRequestHandler):
    """An API that says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


def answer_later(port: int) -> None:
    time.sleep(1)
    with HTTPServer(("127.0.0.1", port), Hello) as server:
        server.handle_request()


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for client in CLIENTS:
        monkeypatch.setattr(client, "_has_connected", False, raising=False)


def test_a_run_of_a_worker_waits_for_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "7b32f5e5-8b1b-4c5e-8170-abe8a3df187f")
    wait_out_outages()
    port = free_port()
    threading.Thread(target=answer_later, args=[port], daemon=True).start()

    with SyncPrefectClient(f"http://127.0.0.1:{port}/api") as client:
        assert client.hello().status_code == 200


def test_other_programs_fail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID", raising=False)
    wait_out_outages()

    with (
        SyncPrefectClient(f"http://127.0.0.1:{free_port()}/api") as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.hello()
