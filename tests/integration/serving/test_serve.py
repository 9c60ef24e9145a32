"""``airnub serve`` as people start it: a process, a port, requests, a signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from airnub_prefect_starter.core.churn.telco import NAMES
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


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--version", "9"), 22, "There is no version 9 of the model customer_churn. There are: 1"),
        (("--model", "other"), 22, "The model other has no champion. Train one"),
    ],
)
def test_without_the_model_it_does_not_start(
    store: Store, options: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [*AIRNUB, "--store", _address(store), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == code
    assert done.stderr.startswith(f"error: {said}")


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    address = (tmp_path / "none").as_uri()
    done = subprocess.run(
        [*AIRNUB, "--store", address], capture_output=True, text=True, check=False, timeout=240
    )

    assert done.returncode == 22
    assert done.stderr == (
        f"error: There is no store at {address}. Correct the address, or store something there"
        " first\n"
    )
    assert not (tmp_path / "none").exists()


def test_a_taken_port_is_named(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*AIRNUB, "--store", _address(store), "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    assert done.returncode == 7
    assert done.stderr == (
        f"error: Port {port} on 127.0.0.1 is taken. Choose another, or 0 for any free one\n"
    )
