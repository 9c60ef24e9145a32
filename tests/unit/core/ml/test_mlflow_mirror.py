"""What goes wrong with MLflow is said, and raised to nobody; a real server is asked elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from airnub_prefect_starter.common.errors import ModelFileError
from airnub_prefect_starter.core.ml.mlflow_mirror import Mirrored, core_mirror_version
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import Store
from tests.ml_kit import candidate

SERVER = "http://me:secret@localhost:1"


def _mirror(store: Store, uri: str | None = SERVER) -> Mirrored:
    registry = ModelRegistry(store, "leavers")
    version = registry.register(candidate(store))
    registry.promote(version, expected=registry.aliases().champion)
    return core_mirror_version(store, version, uri, source_id="candidates")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "TimeoutError"),
        (ImportError("No module named 'scipy'"), "ImportError: No module named 'scipy'"),
        (ValueError(f"first of {SERVER}\nsecond"), "ValueError: first of"),
        (ModelFileError("It is no model", "Train it again"), "ModelFileError: It is no model"),
        (KeyError("MLFLOW_HTTP_REQUEST_TIMEOUT"), "KeyError: "),
    ],
)
def test_no_error_of_the_client_ends_a_run(
    content_store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    said: str,
) -> None:
    def failing(**_: str) -> None:
        raise error

    own = {**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    monkeypatch.setattr(os, "environ", own)
    client = ModuleType("mlflow")
    client.__spec__ = ModuleSpec("mlflow", None)
    client.MlflowClient = failing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", client)

    with caplog.at_level(logging.WARNING):
        found = _mirror(content_store)

    assert found.state == "failed"
    assert found.detail.startswith(said)
    assert "\n" not in found.detail
    assert "secret" not in found.detail + caplog.text
    assert "not mirrored to MLflow" in caplog.text
    # What a person says wins; the other bounds stay, since another mirror may be at work.
    assert own["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "5"
    assert own["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


def test_without_a_server_or_the_package_nothing_is_mirrored(
    content_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)

    assert _mirror(content_store, None).state == "off"
    found = _mirror(content_store)
    assert (found.state, "not installed" in found.detail) == ("failed", True)
