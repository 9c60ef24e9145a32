"""``airnub serve`` as people start it: a process, a port, requests, a signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from airnub_prefect_starter.core.churn.columns import NAMES
from airnub_prefect_starter.core.model_inference import load_model
from airnub_prefect_starter.core.store import Store, open_store
from tests.model_kit import MODEL, prepared, put_champion, put_features, with_features

ROWS = prepared()
AIRNUB = (sys.executable, "-m", "airnub_prefect_starter", "serve", MODEL)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(tmp_path_factory.mktemp("store").as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    put_champion(store, with_features(ROWS))
    return store


def _address(store: Store) -> str:
    marker = store.backend.local_path("cas.json")  # type: ignore[arg-type]
    assert marker is not None
    return marker.parent.as_uri()


@contextmanager
def _serving(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with subprocess.Popen(
        [*AIRNUB, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://\S+?(?=;)", line)
            assert found, (line, process.stderr and process.poll() and process.stderr.read())
            yield found[0], process
        finally:
            process.kill()


def test_rows_are_scored_over_http_until_a_signal(store: Store) -> None:
    model = load_model(store, MODEL)
    names = [name for name in NAMES if name in model.form.model_fields]
    rows: list[dict[str, Any]] = json.loads(ROWS.head(50)[names].to_json(orient="records"))
    with _serving("--store", _address(store)) as (url, process):
        health = requests.get(f"{url}/health", timeout=120).json()
        found = requests.post(f"{url}/predict/batch", json=rows, timeout=120).json()
        refused = requests.post(f"{url}/predict", json={"tenure": "long"}, timeout=120)
        process.send_signal(signal.SIGTERM)
        code = process.wait(120)

    assert health["version"] == 1
    assert [each["probability"] for each in found["predictions"]] == pytest.approx(
        [each.probability for each in model.predict(rows)], abs=1e-12
    )
    assert refused.status_code == 422
    assert "tenure: 'long': input should be a valid integer" in refused.json()["message"]
    assert code in {0, -signal.SIGTERM}


def test_an_open_request_is_finished_after_the_signal(store: Store) -> None:
    form = load_model(store, MODEL).form.model_fields
    names = [name for name in NAMES if name in form]
    body = json.dumps(json.loads(ROWS.head(1)[names].to_json(orient="records"))[0]).encode()
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with _serving("--store", _address(store)) as (url, process):
        address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 0))
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100")  # it waits for the body now
            process.send_signal(signal.SIGTERM)
            _await_closed(address)
            connection.sendall(body)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        process.wait(120)

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"probability":' in answer


def _await_closed(address: tuple[str, int]) -> None:
    deadline = time.monotonic() + 8  # less than the grace of open requests
    while time.monotonic() < deadline:
        try:
            socket.create_connection(address, timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("It still takes connections after the signal")


def test_as_json_it_says_where_it_is(store: Store) -> None:
    options = [*AIRNUB, "--port", "0", "--store", _address(store), "--json"]
    with subprocess.Popen(options, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:  # ends too where the process ends without a word
            lines.append(line)
            if line == "}\n":
                break
        process.kill()

    found = json.loads("".join(lines))
    assert (found["model"], found["version"]) == (MODEL, 1)
    assert found["url"].startswith("http://127.0.0.1:")
