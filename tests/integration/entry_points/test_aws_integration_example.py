"""An object, its event, its function, its catalog and its retention, on a real server."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Completed

from airnub_prefect_starter.core.store.s3_address import parse_s3_url
from airnub_prefect_starter.core.store.s3_client import S3Connection, client_for
from tests.integration.entry_points.conftest import Program, errors
from tests.s3_kit import S3Server

FILE = "examples/aws_integration_example.py"


class Function:
    """An HTTP function that remembers its events and answers with a code."""

    def __init__(self, code: int) -> None:
        self.calls: list[tuple[dict[str, Any], str | None]] = []
        function = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                function.calls.append((json.loads(body), self.headers["X-Memory-Mb"]))
                self.send_response(code)
                self.end_headers()
                self.wfile.write(b"done")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/on-object"

    @contextmanager
    def running(self) -> Iterator["Function"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[str]:
    with s3.reachable():
        yield parse_s3_url(s3.root).bucket


def test_an_object_is_put_told_of_catalogued_and_will_expire(
    s3: S3Server, bucket: str, program: Program, tmp_path: Path
) -> None:
    body = b"\xff" * 600_000  # neither text nor as short as the parameters of a run must be
    (tmp_path / "orders.json").write_bytes(body)
    with Function(200).running() as function:
        arguments = ["--bucket", bucket, "--environment", "prod", "--data", "orders.json"]
        done = program(FILE, *arguments, "--function-url", function.url, **s3.environment)

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    ((event, memory),) = function.calls
    assert memory == "512"
    about = event["Records"][0]["s3"]
    assert about["bucket"]["name"] == bucket
    client = client_for(S3Connection())
    stored = client.get_object(Bucket=bucket, Key=about["object"]["key"])
    assert stored["Body"].read() == body
    assert stored["ETag"].strip('"') == about["object"]["eTag"]
    assert found["calls"] == [{"kind": "http", "status": 200, "answer": "done"}]
    assert found["object"] in [entry["location"] for entry in found["catalog"]]
    assert found["retention_days"] == 365
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["Expiration"]["Days"] for rule in rules] == [365]


def test_a_function_that_refuses_is_one_line_and_a_code(
    s3: S3Server, bucket: str, program: Program
) -> None:
    with Function(403).running() as function:
        done = program(FILE, "--bucket", bucket, "--function-url", function.url, **s3.environment)

    assert done.returncode == 14
    assert len(function.calls) == 1
    assert "answered 403" in errors(done)[0]


def test_a_bucket_that_is_not_there_is_named_with_those_that_are(
    s3: S3Server, bucket: str, program: Program
) -> None:
    done = program(FILE, "--bucket", "nowhere", **s3.environment)

    assert done.returncode == 3
    assert bucket in errors(done)[0]


def test_a_deployment_is_run_for_the_event_and_waited_for(
    s3: S3Server, bucket: str, program: Program
) -> None:
    @flow(name="On Object")
    def on_object() -> None:
        """Do nothing."""

    deployment: Any = on_object.to_deployment("test")
    deployment.apply()
    seen: list[list[str]] = []
    worker = threading.Thread(target=_complete_one, args=(seen,))
    worker.start()
    done = program(FILE, "--bucket", bucket, "--deployment", "On Object/test", **s3.environment)
    worker.join()

    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["calls"][0]["state"] == "Completed"
    assert any(tag.startswith("object:raw-data/") for tag in seen[0])


def _complete_one(seen: list[list[str]]) -> None:
    """Stand for a worker: end the first run that appears."""
    with get_client(sync_client=True) as client:
        for _ in range(600):
            for run in client.read_flow_runs():
                if run.deployment_id and run.state and not run.state.is_final():
                    seen.append(run.tags)
                    client.set_flow_run_state(run.id, Completed(), force=True)
                    return
            threading.Event().wait(0.2)


def test_a_deployment_that_is_not_there_is_one_line(
    s3: S3Server, bucket: str, program: Program
) -> None:
    done = program(FILE, "--bucket", bucket, "--deployment", "No/Such", **s3.environment)

    assert done.returncode == 3
    assert "There is no deployment" in errors(done)[0]
