"""Models as inputs of derivations: so `airnub trace` leads from a score to the bytes of sources."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import DerivedInput, DerivedManifest
from airnub_prefect_starter.core.ml.registry import ModelVersion
from airnub_prefect_starter.core.ml.step import HELD_OUT
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import read_parquet


def model_input_of(store: Store, version: ModelVersion) -> DerivedInput:
    """Give a version as an input: its file, and the training that made it.

    Raises:
        StoreError: The training's manifest cannot be read.
    """
    manifest = store.manifest(version.manifest)
    return DerivedInput(
        namespace=manifest.namespace,
        source_id=manifest.source_id,
        manifest=version.manifest,
        blob=version.model_file.digest,
    )


def features_of(version: ModelVersion) -> DerivedInput:
    """Give the features that a version was trained on: the first input of every training."""
    return version.trained_on[0]


def blob_of(store: Store, manifest: str, name: str) -> str:
    """Give the digest of an output of a derivation by its name.

    Raises:
        ObjectNotFoundError: It has no such output. No retry.
        StoreError: The manifest cannot be read.
    """
    found = store.manifest(manifest)
    outputs = found.outputs if isinstance(found, DerivedManifest) else ()
    for each in outputs:
        if each.name == name:
            return each.blob.digest
    raise ObjectNotFoundError(
        f"{found.namespace}/{found.source_id} has no output {name}",
        "Run its stage again with this version of the project",
    )


def held_out_keys(store: Store, version: ModelVersion) -> set[str]:
    """Give the keys of the rows that a version was judged on, and not trained on.

    Raises:
        StoreError: They cannot be read.
    """
    return _keys(store, blob_of(store, version.manifest, HELD_OUT), version.key)


def unseen_by(store: Store, version: ModelVersion, keys: pd.Series[Any]) -> pd.Series[bool]:
    """Tell which keys a version was not trained on: held out then, or new since.

    Raises:
        StoreError: What it was trained on cannot be read.
    """
    trained = _keys(store, features_of(version).blob, version.key) - held_out_keys(store, version)
    return ~keys.astype(str).isin(trained)


def parameters_of(step: ConfigModel) -> Any:
    """Give a step as a manifest records it: floats as text."""
    return json.loads(step.model_dump_json(), parse_float=str)


def _keys(store: Store, blob: str, name: str) -> set[str]:
    return set(read_parquet(store.read_blob(blob))[name].astype(str))
