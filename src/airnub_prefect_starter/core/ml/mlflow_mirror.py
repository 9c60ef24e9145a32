"""A registered version in MLflow too, for people who look there. The store stays what counts.

MLflow is an extra (`mlflow` of ``pyproject.toml``) and is imported only where a server is named.
What goes wrong with it is said and fails nothing.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
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
_REQUESTS = {
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

    The champion and the challenger are written too where an outage kept them out, so that no alias
    stays with a version that lost it. A version that is there already is not written again. It
    takes a second or two; a request that gets no answer takes 20 s and is the last one. Nothing is
    raised for what is wrong with MLflow, its client or a model file.

    Args:
        store: Where the model files and the aliases are.
        version: What to mirror.
        uri: Address of the tracking server; None for no mirror.
        source_id: What the result is called.

    Raises:
        StoreError: The registry cannot be read at first. Retry where it is transient.
    """
    if not uri:
        return Mirrored(source_id=source_id, state="off", detail=f"{VARIABLE} is not set")
    if find_spec("mlflow") is None:
        return _failed(source_id, "the package mlflow-skinny is not installed (extra `mlflow`)")
    registry = ModelRegistry(store, version.name)
    known = (version, *_roles(registry).values())
    try:
        number, roles = _mirror(store, known, registry, uri)
    except Exception as error:  # noqa: BLE001 - whatever it is, the model is registered here
        return _failed(source_id, f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": "))
    own = [role for role, each in roles.items() if each == version]
    detail = f"version {number} of {version.name} in MLflow, {', '.join(own) or 'no alias'}"
    return Mirrored(source_id=source_id, state="mirrored", detail=detail)


def _mirror(
    store: Store, known: Sequence[ModelVersion], registry: ModelRegistry, uri: str
) -> tuple[str, Mapping[str, ModelVersion]]:
    """Write versions, then the aliases; give the first one's number in MLflow, and the roles."""
    for name, value in _REQUESTS.items():
        os.environ.setdefault(name, value)  # its client reads them itself; what a person says wins
    from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and a second to import

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    number, *_ = [_require_version(client, store, each) for each in known]
    # Another trainer may have moved them while models were uploaded.
    roles = _roles(registry)
    for role, each in roles.items():
        held_by = _require_version(client, store, each)
        client.set_registered_model_alias(each.name, role, held_by)
    return number, roles


def _roles(registry: ModelRegistry) -> Mapping[str, ModelVersion]:
    found = {"champion": registry.champion(), "challenger": registry.challenger()}
    return {role: each for role, each in found.items() if each is not None}


def _failed(source_id: str, why: str) -> Mirrored:
    detail = redact_text(why)
    log.warning("The model is registered, but not mirrored to MLflow: %s", detail)
    return Mirrored(source_id=source_id, state="failed", detail=detail)


def _require_version(client: MlflowClient, store: Store, version: ModelVersion) -> str:
    return _find(client, version) or _create(client, store, version)


def _find(client: MlflowClient, version: ModelVersion) -> str | None:
    """Find the number that a version has in MLflow, by the digest of what made it."""
    wanted = f"name = '{version.name}' and tags.manifest = '{version.manifest}'"
    found = client.search_model_versions(wanted)
    return str(found[0].version) if found else None


def _create(client: MlflowClient, store: Store, version: ModelVersion) -> str:
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    tags = _tags(version)
    run_id = _require_run(client, version, tags)
    moment = int(version.created_at.timestamp() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, moment, 0) for name, value in version.metrics.items()],
        params=[Param(name, str(value)) for name, value in _parameters(version).items()],
    )
    _log_model(client, run_id, version, store.read_blob(version.model_file.digest))
    client.set_terminated(run_id)
    _require_model(client, version.name)
    created = client.create_model_version(
        version.name, source=f"runs:/{run_id}/model", run_id=run_id, tags=tags
    )
    return str(created.version)


def _require_run(client: MlflowClient, version: ModelVersion, tags: Mapping[str, str]) -> str:
    """Find the run that an earlier attempt left unfinished, or start one."""
    experiment = _experiment(client, version.name)
    wanted = f"tags.manifest = '{version.manifest}'"
    found = client.search_runs([experiment], wanted, max_results=1)
    if found:
        return str(found[0].info.run_id)
    name = f"{version.name}-{version.number}"
    return str(client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id)


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
