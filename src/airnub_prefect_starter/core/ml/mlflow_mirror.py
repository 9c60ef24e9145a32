"""A registered version in MLflow too, for people who look there. The store stays what counts.

MLflow is an extra (`mlflow` of ``pyproject.toml``) and is imported only where a server is named.
What goes wrong with it is said and fails nothing.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airnub_prefect_starter.core.manifest_models import Record
from airnub_prefect_starter.core.ml import model_files
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion
from airnub_prefect_starter.core.redaction import redact_text
from airnub_prefect_starter.core.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

VARIABLE = "MLFLOW_TRACKING_URI"
NUMBER = "airnub_version"
# Each request: so long, and once more. The first that fails ends the mirroring.
_MANNERS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Mirrored(Record):
    """Whether a version is in MLflow, and if not, why."""

    source_id: str
    state: Literal["off", "mirrored", "failed"]
    detail: str


def core_mirror_version(
    store: Store, version: ModelVersion, uri: str | None, *, source_id: str
) -> Mirrored:
    """Write a version's parameters, metrics, model and tags to MLflow, if a server is named.

    A version that is there already is not written again; the aliases are set each time. It takes
    a second or two, and about 20 s at most where the server does not answer; nothing is raised for
    what is wrong with it.

    Args:
        store: Where the model file and the aliases are.
        version: What to mirror.
        uri: Address of the tracking server; None for no mirror.
        source_id: What the result is called.

    Raises:
        StoreError: The store cannot be read. Retry where it is transient.
    """
    if not uri:
        return Mirrored(source_id=source_id, state="off", detail=f"{VARIABLE} is not set")
    if find_spec("mlflow") is None:
        return _failed(source_id, "the package mlflow-skinny is not installed (extra `mlflow`)")
    raw = store.read_blob(version.model_file.digest)
    registry = ModelRegistry(store, version.name)
    roles = {"champion": registry.champion(), "challenger": registry.challenger()}
    return _mirror(version, raw, roles, uri, source_id)


def _mirror(
    version: ModelVersion,
    raw: bytes,
    roles: Mapping[str, ModelVersion | None],
    uri: str,
    source_id: str,
) -> Mirrored:
    from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and a second to import
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    with _manners():
        try:
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            number = _find(client, version) or _create(client, version, raw)
            for role, each in roles.items():
                _set_alias(client, role, each)
        except (MlflowException, OSError) as error:
            return _failed(source_id, f"{type(error).__name__}: {str(error).splitlines()[0]}")
    own = [role for role, each in roles.items() if each == version]
    detail = f"version {number} of {version.name} in MLflow, {', '.join(own) or 'no alias'}"
    return Mirrored(source_id=source_id, state="mirrored", detail=detail)


def _failed(source_id: str, why: str) -> Mirrored:
    detail = redact_text(why)
    log.warning("The model is registered, but not mirrored to MLflow: %s", detail)
    return Mirrored(source_id=source_id, state="failed", detail=detail)


@contextmanager
def _manners() -> Iterator[None]:
    """Bound how long MLflow's client waits, unless a person has said so; it reads these itself."""
    ours = {name: value for name, value in _MANNERS.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _find(client: MlflowClient, version: ModelVersion) -> str | None:
    """Find the number that a version has in MLflow, by the digest of what made it."""
    wanted = f"name = '{version.name}' and tags.manifest = '{version.manifest}'"
    found = client.search_model_versions(wanted)
    return str(found[0].version) if found else None


def _set_alias(client: MlflowClient, role: str, version: ModelVersion | None) -> None:
    """Say which version has a part; one that was never mirrored leaves the alias as it is."""
    if version is not None and (number := _find(client, version)):
        client.set_registered_model_alias(version.name, role, number)


def _create(client: MlflowClient, version: ModelVersion, raw: bytes) -> str:
    tags = _tags(version)
    run = client.create_run(
        _experiment(client, version.name), run_name=f"{version.name}-{version.number}", tags=tags
    )
    run_id = run.info.run_id
    for name, value in _parameters(version).items():
        client.log_param(run_id, name, value)
    for name, number in version.metrics.items():
        client.log_metric(run_id, name, number)
    _log_model(client, run_id, version, raw)
    client.set_terminated(run_id)
    _require_model(client, version.name)
    created = client.create_model_version(
        version.name, source=f"runs:/{run_id}/model", run_id=run_id, tags=tags
    )
    return str(created.version)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _require_model(client: MlflowClient, name: str) -> None:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)


def _log_model(client: MlflowClient, run_id: str, version: ModelVersion, raw: bytes) -> None:
    """Log the model so that ``mlflow.sklearn.load_model`` reads it; skops, no pickle."""
    import mlflow.sklearn  # noqa: PLC0415

    model = model_files.load(raw, version.model_file.digest)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        mlflow.sklearn.save_model(
            model,
            path,
            serialization_format="skops",
            skops_trusted_types=list(model_files.TRUSTED),
            pip_requirements=["scikit-learn", "skops"],
        )
        client.log_artifacts(run_id, str(path), "model")


def _parameters(version: ModelVersion) -> Mapping[str, Any]:
    return {
        "kind": version.kind,
        "threshold": version.threshold,
        "target": version.target,
        "numeric": ", ".join(version.numeric),
        "categorical": ", ".join(version.categorical),
    }


def _tags(version: ModelVersion) -> dict[str, str]:
    data = {f"data.{each.namespace}.{each.source_id}": each.blob for each in version.trained_on}
    return {
        NUMBER: str(version.number),
        "manifest": version.manifest,
        "model_file": version.model_file.digest,
        "code": version.code,
        "release": "" if version.release is None else str(version.release),
        "prefect.flow_run_id": version.run.flow_run_id or "",
        **data,
    }
