"""Reference profiles in the content store: made once, kept until somebody accepts another."""

from __future__ import annotations

from airnub_prefect_starter.core.derivation import Derivation, commit
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    Manifest,
    RunInfo,
)
from airnub_prefect_starter.core.monitoring.config import TableWatch
from airnub_prefect_starter.core.monitoring.facts import TableFacts
from airnub_prefect_starter.core.monitoring.lineage import inputs_of
from airnub_prefect_starter.core.monitoring.profiles import Profile, make_profile
from airnub_prefect_starter.core.store import Store

JSON = "application/json"


def reference_profile(
    store: Store, lake: Lake, watch: TableWatch, facts: TableFacts, namespace: str
) -> Profile:
    """Read the profile that a table is compared with; make it of the table as it is if need be.

    It is made again when ``reference`` or the columns that are watched are others.

    Raises:
        TableSchemaError: A watched column is not there. No retry.
        StoreError: The store or the table cannot be read or written.
    """
    name = f"profile.{watch.table.replace('/', '.')}"
    wanted = {
        "reference": watch.reference,
        "numbers": list(watch.drift.numbers),
        "categories": list(watch.drift.categories),
    }
    ref = store.ref(namespace, name)
    manifest: Manifest | None = store.manifest(ref.manifest.digest) if ref else None
    if isinstance(manifest, DerivedManifest) and dict(manifest.parameters) == wanted:
        raw = store.read_blob(manifest.outputs[0].blob.digest)
        return Profile.model_validate_json(raw)
    profile = make_profile(lake, watch, facts.columns)
    blob, _ = store.put_bytes(profile.model_dump_json().encode(), media_type=JSON)
    derivation = Derivation(namespace, name, inputs_of(store, [watch.ref]), wanted)
    commit(store, derivation, [DerivedOutput(name="profile.json", blob=blob)], run=RunInfo())
    return profile
