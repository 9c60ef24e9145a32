"""Versions in a real MLflow server, and what happens when there is none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from airnub_prefect_starter.core.ml.model_files import load
from airnub_prefect_starter.core.ml.promotion import core_register_model
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion
from airnub_prefect_starter.core.ml.rows import model_input
from airnub_prefect_starter.core.ml.step import core_train_model
from airnub_prefect_starter.core.ml.training import positive_scores
from airnub_prefect_starter.core.store import Store, open_store
from tests.integration.ml import mirror
from tests.ml_kit import SPEC, TRAINING, customers, spec, store_features
from tests.s3_kit import free_port

PROJECT = Path(__file__).parents[3]
MLFLOW = PROJECT / ".venv" / "tools" / "mlflow"
PACKAGES = next(iter(MLFLOW.glob("lib/python*/site-packages")), MLFLOW)
needs_mlflow = pytest.mark.skipif(
    not (MLFLOW / "bin" / "mlflow").exists() and not os.environ.get("CI"),
    reason="`make test` installs MLflow into .venv/tools/mlflow",
)
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
START_S = 180
LOAD = """
import mlflow, pandas, sys
model = mlflow.sklearn.load_model("models:/leavers@champion")
rows = pandas.DataFrame({"months": [1.0], "charges": [50.0], "contract": ["monthly"]})
print(model.predict_proba(rows)[0, 1])
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hold two versions of a model; the first one is the champion."""
    made = open_store((tmp_path_factory.mktemp("models") / "store").as_uri(), durability="none")
    store_features(made, customers())
    for each in (SPEC, spec(threshold={"method": "cost"})):
        core_register_model(made, core_train_model(made, each, namespace=TRAINING))
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run MLflow's own server, which only answers to ``localhost``, and give its port."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [
        *(str(MLFLOW / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *("--allowed-hosts", f"localhost:{port}"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **QUIET},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(port, process, folder / "log")
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            requests.get(f"http://localhost:{port}/health", timeout=5).raise_for_status()
        except requests.RequestException:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"MLflow did not start: {log.read_text()[-2000:]}")
            time.sleep(0.5)
        else:
            return


def _version(store: Store, number: int) -> ModelVersion:
    return ModelRegistry(store, SPEC.name).version(number)


def _url(store: Store) -> str:
    folder = store.backend.local_path(next(iter(store.backend.list("cas.json"))).key)
    assert folder is not None
    return folder.parent.as_uri()


def _mirror(store: Store, *wanted: tuple[str, int]) -> list[dict[str, Any]]:
    """Mirror in a process of its own: MLflow's client changes the process that imports it."""
    command = [
        *(sys.executable, "-m", mirror.__name__),
        *(str(PACKAGES), _url(store), json.dumps(wanted)),
    ]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def _ask(port: int, path: str, **parameters: str) -> dict[str, Any]:
    answer = requests.get(
        f"http://localhost:{port}/api/2.0/mlflow/{path}", params=parameters, timeout=30
    )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _aliases(port: int) -> dict[str, str]:
    found = {}
    for alias in ("champion", "challenger"):
        answer = _ask(port, "registered-models/alias", name="leavers", alias=alias)
        tags = {each["key"]: each["value"] for each in answer["model_version"]["tags"]}
        found[alias] = tags["airnub_version"]
    return found


@needs_mlflow
def test_versions_are_mirrored_once_with_all_that_is_known(store: Store, server: int) -> None:
    uri = f"http://localhost:{server}"
    # The champion, which an outage kept out, comes along with the challenger.
    assert "challenger" in _mirror(store, (uri, 2))[0]["detail"]
    assert _aliases(server) == {"champion": "1", "challenger": "2"}
    states = _mirror(store, (uri, 2), (uri, 1))

    assert [each["state"] for each in states] == ["mirrored"] * 2
    assert "champion" in states[1]["detail"]
    found = _ask(server, "model-versions/search", filter="name = 'leavers'")["model_versions"]
    assert sorted(each["version"] for each in found) == ["1", "2"]
    assert _aliases(server) == {"champion": "1", "challenger": "2"}
    champion = _ask(server, "registered-models/alias", name="leavers", alias="champion")
    tags = {each["key"]: each["value"] for each in champion["model_version"]["tags"]}
    registered = _version(store, 1)
    assert tags["model_file"] == registered.model_file.digest
    assert tags["data.transformation.feature_store.customer"] == registered.trained_on[0].blob
    run = _ask(server, "runs/get", run_id=champion["model_version"]["run_id"])["run"]["data"]
    metrics = {each["key"]: each["value"] for each in run["metrics"]}
    assert metrics == pytest.approx(dict(registered.metrics))
    assert {"key": "kind", "value": "logistic_regression"} in run["params"]
    _require_same_scores(registered, store, uri)

    ModelRegistry(store, SPEC.name).promote(_version(store, 2), expected=1)
    assert _mirror(store, (uri, 2))[0]["state"] == "mirrored"
    assert _aliases(server) == {"champion": "2", "challenger": "1"}


def _require_same_scores(registered: ModelVersion, store: Store, uri: str) -> None:
    """Load the champion with MLflow's own means, in an environment without this project."""
    done = subprocess.run(
        [str(MLFLOW / "bin" / "python"), "-c", LOAD],
        env={**os.environ, **QUIET, "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    model = load(store.read_blob(registered.model_file.digest), registered.model_file.digest)
    row = pd.DataFrame({"months": [1], "charges": [50.0], "contract": ["monthly"]})
    features = model_input(row, registered.numeric, [*registered.categorical])
    assert float(done.stdout) == pytest.approx(float(positive_scores(model, features)[0]))


@needs_mlflow
def test_a_server_that_refuses_is_gone_or_silent_is_said_and_fails_nothing(
    store: Store, server: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused, gone, never = _mirror(
            store,
            (f"http://127.0.0.1:{server}", 1),
            (f"http://me:secret@127.0.0.1:{free_port()}", 1),
            (f"http://127.0.0.1:{silent.getsockname()[1]}", 1),
        )
    assert {each["state"] for each in (refused, gone, never)} == {"failed"}
    assert "403" in refused["detail"]
    assert "Host header" in refused["detail"]
    assert "secret" not in gone["detail"]
    assert "timed out" in never["detail"].lower()
